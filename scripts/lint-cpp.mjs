// clang-format and clang-tidy over native/. `--fix` formats instead of complaining.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compilerFlags, hasTool, nodeHeaders, root, skip, sources } from './native-toolchain.mjs';

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

/** clang-tidy counts what it does not show on stderr; only its findings matter. */
function tidy(headers) {
  const flags = compilerFlags(headers).filter((flag) => flag !== '-fPIC');
  const args = ['--quiet', '--warnings-as-errors=*', ...sources(), '--', ...flags];
  const { status, stdout, stderr } = spawnSync('clang-tidy', args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  process.exit(status ?? 1);
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
  tidy(headers);
}
