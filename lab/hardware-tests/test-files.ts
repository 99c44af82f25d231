import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../../src/guest-image/tool.js';
import { UnsupportedError } from '../../src/hal/contract/errors.js';
import { filesUnder, type ProjectFile, packagePaths } from '../project-image.js';
import type { TargetMachine } from './targets.js';

/** What the tests read, beside what the project needs to run. */
const READ_BY_TESTS = [
  'src',
  'test',
  'docs',
  'native',
  'scripts',
  'tsconfig.json',
  'package-lock.json',
];

/** Tools that no test on hardware starts, and that are most of what is installed. */
const NOT_NEEDED = /^node_modules\/(@biomejs|@esbuild|esbuild|typescript)(\/|$)/;

/** Where tests find helpers that were compiled for them: see test/c-helper.ts. */
const HELPERS = 'build/c-helpers';

const HELPER_SOURCES = [
  { name: 'raw-calls.so', source: 'test/seccomp/jail/raw-calls.c', flags: ['-shared', '-fPIC'] },
  { name: 'verdicts', source: 'test/seccomp/kernel/verdicts.c', flags: ['-pthread'] },
];

/** What a 32-bit program of C++ needs, of Debian's cross libraries. */
const LIBRARIES = [
  'libatomic.so.1',
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
];

/** Where AVA keeps what failed; there must be something to write to. */
export const AVA_NOTES = 'node_modules/.cache';

/** Where the loader of a foreign architecture and its libraries are in the project. */
export const FOREIGN_LIBRARIES = 'build/foreign-libraries';

/**
 * What the host needs of the project to run its tests.
 *
 * @param folder for the helpers that are compiled.
 * @throws UnsupportedError without a compiler, or without what a foreign target needs.
 */
export async function testFiles(
  root: string,
  machine: TargetMachine,
  folder: string,
): Promise<readonly ProjectFile[]> {
  // The file system is read-only, and what is mounted needs a folder.
  const keep = join(folder, 'keep');
  writeFileSync(keep, '');
  const packages = packagePaths(root, true).filter((path) => !NOT_NEEDED.test(path));
  const read = [...READ_BY_TESTS, ...packages].flatMap((path) => [...filesUnder(root, path)]);
  return [
    ...read,
    ...(await helpers(root, machine, folder)),
    ...foreignFiles(root, machine),
    { path: `${AVA_NOTES}/keep`, kind: 'file', from: keep },
  ];
}

async function helpers(
  root: string,
  { compiler, compilerPackage }: TargetMachine,
  folder: string,
): Promise<readonly ProjectFile[]> {
  const compiled: ProjectFile[] = [];
  for (const { name, source, flags } of HELPER_SOURCES) {
    const from = join(folder, name);
    const args = ['-O1', ...flags, '-o', from, join(root, source)];
    await runTool(compiler, args, {
      remedy: `Run "apt-get install ${compilerPackage}" as root.`,
    });
    compiled.push({ path: `${HELPERS}/${name}`, kind: 'file', from });
  }
  return compiled;
}

function foreignFiles(root: string, { foreign }: TargetMachine): readonly ProjectFile[] {
  if (foreign === undefined) return [];
  const { node, addon, libraries, loader } = foreign;
  const lacks = [node, addon].filter((path) => !existsSync(join(root, path)));
  if (lacks.length > 0) {
    throw new UnsupportedError(
      `${lacks.join(' and ')} ${lacks.length === 1 ? 'is' : 'are'} missing`,
      'Run "npm run arm-nodes" and "npm run prebuilds".',
    );
  }
  const system = [loader, ...LIBRARIES].map((name): ProjectFile => {
    const from = realpathSync(join(libraries, name));
    return { path: `${FOREIGN_LIBRARIES}/${name}`, kind: 'file', from };
  });
  return [...filesUnder(root, node), ...filesUnder(root, addon), ...system];
}
