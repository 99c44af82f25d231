// Builds the addon with AddressSanitizer and UBSan beside the ordinary one, and runs the native tests on it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compilerFlags, hasTool, nodeHeaders, root, skip, sources } from './native-toolchain.mjs';

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

/** When any header was last changed: it may be any source's. */
function newestHeader(directory = join(root, 'native')) {
  return Math.max(
    0,
    ...readdirSync(directory, { withFileTypes: true }).map((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return newestHeader(path);
      return entry.name.endsWith('.h') ? statSync(path).mtimeMs : 0;
    }),
  );
}

function build(headers) {
  const flags = [...compilerFlags(headers), ...sanitize, '-O1', '-g1', '-fno-omit-frame-pointer'];
  const headersChanged = newestHeader();
  const objects = sources().map((source) => {
    const object = join(folder, `${source.replaceAll('/', '_')}.o`);
    const changed = Math.max(statSync(join(root, source)).mtimeMs, headersChanged);
    if (!existsSync(object) || statSync(object).mtimeMs < changed) {
      must(compiler, [...flags, '-c', source, '-o', object]);
    }
    return object;
  });
  must(compiler, [...sanitize, '-shared', '-pthread', ...objects, '-o', addon]);
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
mkdirSync(folder, { recursive: true });
build(headers);
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
