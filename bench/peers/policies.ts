import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../../src/package-info.js';
import type { Architecture, ArchitectureName } from '../../src/seccomp/architecture.js';
import { parsePolicy } from '../../src/seccomp/language/parse-policy.js';
import type { Policy } from '../../src/seccomp/policy.js';
import type { Job } from './peer.js';
import { type CountedFrequencies, frequencyFile, parseFrequencies, weightsFor } from './weights.js';

const FREQUENCIES = 'common_device.frequency';

/** A policy that is measured, and what its syscalls weigh. */
export interface MeasuredPolicy extends Job {
  readonly name: string;
  readonly weights: ReadonlyMap<number, number>;
}

/** A checkout of crosvm, now and earlier, or the folder in it that has one folder for each architecture. */
function folderIn(checkout: string, architecture: ArchitectureName): string | undefined {
  return ['jail/seccomp', 'seccomp', '.']
    .map((path) => join(checkout, path, architecture))
    .find((folder) => existsSync(folder));
}

/** The frequencies that the first checkout has; crosvm counted on x86_64 only. */
export function countedFrequencies(checkouts: readonly string[]): CountedFrequencies | undefined {
  const file = checkouts
    .map((checkout) => join(folderIn(checkout, 'x86_64') ?? checkout, FREQUENCIES))
    .find((path) => existsSync(path));
  return file === undefined ? undefined : parseFrequencies(readFileSync(file, 'utf8'));
}

/** Paths that only exist on an installed system lead beside the file instead, as in crosvm's own build. */
export function withRelativePaths(text: string, files: ReadonlySet<string>): string {
  return text.replace(/^(@(?:include|frequency)\s+)\/\S*\/([^/\s]+)$/gm, (line, word, file) =>
    files.has(file) ? `${word}./${file}` : line,
  );
}

function parse(file: string, architecture: Architecture): Policy {
  return parsePolicy({
    text: readFileSync(file, 'utf8'),
    file,
    dialect: 'minijail-python',
    architecture,
    include: (path) => readFileSync(path, 'utf8'),
  }).policy;
}

/** Copies a folder's policies to `work`, where every compiler can read them. */
function stage(folder: string, work: string, isCounted: boolean): string[] {
  mkdirSync(work, { recursive: true });
  const files = readdirSync(folder).filter((file) => /\.(policy|frequency)$/.test(file));
  for (const file of files) {
    const text = withRelativePaths(readFileSync(join(folder, file), 'utf8'), new Set(files));
    writeFileSync(join(work, file), isCounted ? text.replace(/^@frequency .*$/gm, '') : text);
  }
  return files.filter((file) => file.endsWith('.policy')).map((file) => join(work, file));
}

/** The policy again, with its weights as its frequency file. */
function counted(file: string, weights: ReadonlyMap<number, number>, architecture: Architecture) {
  const named = file.replace(/\.policy$/, '.counted');
  writeFileSync(`${named}.frequency`, frequencyFile(weights, architecture));
  writeFileSync(
    `${named}.policy`,
    `@frequency ./${basename(named)}.frequency\n@include ./${basename(file)}\n`,
  );
  return { file: `${named}.policy`, policy: parse(`${named}.policy`, architecture) };
}

/**
 * The policies of the first checkout that has any for the architecture, and those that are shipped here.
 * @param isCounted every compiler is told the weights; else it knows what the policy says
 */
export function policiesFor(
  architecture: Architecture,
  checkouts: readonly string[],
  frequencies: CountedFrequencies,
  work: string,
  isCounted: boolean,
): MeasuredPolicy[] {
  const shipped = join(packageRoot(), 'seccomp', architecture.name);
  const theirs = checkouts.map((checkout) => folderIn(checkout, architecture.name)).find(Boolean);
  const sources = [
    { folder: shipped, prefix: 'halyard/' },
    ...(theirs === undefined ? [] : [{ folder: theirs, prefix: '' }]),
  ];
  return sources.flatMap(({ folder, prefix }) =>
    stage(folder, join(work, prefix === '' ? 'theirs' : 'shipped'), isCounted).map((file) => {
      const policy = parse(file, architecture);
      const weights = weightsFor(policy, frequencies);
      const name = `${prefix}${basename(file, '.policy')}`;
      const job = isCounted ? counted(file, weights, architecture) : { file, policy };
      return { name, weights, ...job };
    }),
  );
}
