// Builds the addon with AddressSanitizer and UBSan beside the ordinary one, and runs the native tests on it.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import {
  compileAddon,
  compilerFlags,
  hasTool,
  nodeHeaders,
  root,
  skip,
} from './native-toolchain.mjs';

const what = 'the sanitizer tests are';
const compiler = process.env.CXX ?? 'g++';
const folder = join(root, 'build', 'asan');
const addon = join(folder, 'halyard.node');
const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function must(command, args) {
  const status = run(command, args);
  if (status !== 0) process.exit(status);
}

/** Node is built without sanitizers, so their run-time has to be there before everything else. */
function runtime(name) {
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' });
  return stdout.trim();
}

if (process.platform !== 'linux') skip(what, `they need Linux, this is ${process.platform}`);
if (!hasTool(compiler)) skip(what, `${compiler} is missing`);
const headers = nodeHeaders();
if (headers === undefined) skip(what, 'Node was installed without its headers');
const asan = runtime('libasan.so');
const ubsan = runtime('libubsan.so');
if (dirname(asan) === '.') skip(what, `${compiler} has no libasan`);
await compileAddon({
  compiler,
  arch: process.arch,
  flags: [...compilerFlags(headers), ...sanitize, '-O1', '-g1', '-fno-omit-frame-pointer'],
  linkFlags: sanitize,
  folder,
  output: addon,
});
must(process.execPath, [
  join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
  '-p',
  'tsconfig.json',
]);
const ava = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
const status = run(process.execPath, [ava, 'test/hal/native/*.test.ts'], {
  ...process.env,
  HALYARD_ADDON: addon,
  HALYARD_SANITIZED: '1',
  LD_PRELOAD: `${asan} ${ubsan}`,
  // Node and V8 keep memory to the end on purpose; leaks of ours are found by what tests close and count.
  ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:abort_on_error=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
});
process.exit(status);
