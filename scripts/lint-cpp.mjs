// clang-format and clang-tidy over native/. `--fix` formats instead of complaining.
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  compilerFlags,
  forEachInParallel,
  hasTool,
  nodeHeaders,
  root,
  skip,
  sources,
} from './native-toolchain.mjs';

const fix = process.argv.includes('--fix');

function filesBelow(directory) {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return /\.(?:c|cc|h)$/.test(entry.name) ? [path] : [];
  });
}

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** One source; clang-tidy counts what it does not show on stderr, so that is kept unless it fails. */
function tidyOne(source, flags) {
  return new Promise((resolve) => {
    const args = ['--quiet', '--warnings-as-errors=*', source, '--', ...flags];
    execFile('clang-tidy', args, { cwd: root }, (error, stdout, stderr) => {
      if (error !== null) process.stderr.write(`${stdout}${stderr}`);
      resolve(error === null);
    });
  });
}

/** This architecture's sources. */
async function tidy(headers) {
  const flags = compilerFlags(headers).filter((flag) => flag !== '-fPIC');
  let clean = true;
  await forEachInParallel(sources(), async (source) => {
    clean = (await tidyOne(source, flags)) && clean;
  });
  return clean;
}

if (!hasTool('clang-format')) skip('C++ formatting is', 'clang-format is missing');
run(
  'clang-format',
  fix ? ['-i', ...filesBelow('native')] : ['--dry-run', '-Werror', ...filesBelow('native')],
);
if (!fix) {
  if (!hasTool('clang-tidy')) skip('clang-tidy is', 'it is missing');
  const headers = nodeHeaders();
  if (headers === undefined) skip('clang-tidy is', 'Node was installed without its headers');
  if (!(await tidy(headers))) process.exit(1);
}
