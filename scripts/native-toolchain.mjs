// What it takes to compile the addon's sources outside of node-gyp: for prebuilds, a sanitizer's build and clang-tidy.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** The target in binding.gyp, which is JSON as we write it. */
function target() {
  return JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets[0];
}

/**
 * The addon's sources for an architecture.
 *
 * @param arch as Node names it: x64, arm64 or arm.
 */
export function sources(arch = process.arch) {
  const { sources: common, conditions, variables } = target();
  const own = conditions.find(([condition]) => condition === `target_arch == '${arch}'`);
  if (own === undefined) throw new Error(`binding.gyp has no sources for ${arch}`);
  return [...common, ...own[1].sources].flatMap((source) => {
    const variable = /^<@\((\w+)\)$/.exec(source)?.[1];
    return variable === undefined ? [source] : variables[variable];
  });
}

/** Node's headers, where it was installed with them; or undefined. Architectures differ only in config.gypi. */
export function nodeHeaders() {
  const folder = join(dirname(dirname(process.execPath)), 'include', 'node');
  return existsSync(join(folder, 'node_api.h')) ? folder : undefined;
}

/** @param headers what `nodeHeaders` found. */
export function compilerFlags(headers) {
  const nodeAddonApi = createRequire(join(root, 'package.json')).resolve('node-addon-api/napi.h');
  const { defines, cflags_cc: flags } = target();
  return [
    ...flags,
    '-fPIC',
    '-fno-exceptions',
    '-pthread',
    ...defines.map((name) => `-D${name}`),
    '-DNODE_GYP_MODULE_NAME=halyard',
    `-isystem${headers}`,
    `-isystem${dirname(nodeAddonApi)}`,
  ];
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

/** Runs a command. @throws Error with what it said, if it fails. */
function run(command, args) {
  return new Promise((done, fail) => {
    execFile(command, args, { cwd: root }, (error, stdout, stderr) => {
      if (error === null) done(`${stdout}${stderr}`);
      else fail(new Error(`${stdout}${stderr}`.trim() || error.message));
    });
  });
}

/** Calls `work` with each item, for as many at a time as there are processors. */
export async function forEachInParallel(items, work) {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/**
 * Compiles what changed and links the addon.
 *
 * @param folder where objects are kept for the next time.
 * @throws Error with the compiler's messages.
 */
export async function compileAddon({ compiler, arch, flags, linkFlags, folder, output }) {
  mkdirSync(folder, { recursive: true });
  mkdirSync(dirname(output), { recursive: true });
  const oldest = Math.max(newestHeader(), statSync(join(root, 'binding.gyp')).mtimeMs);
  const objectOf = (source) => join(folder, `${source.replaceAll('/', '_')}.o`);
  const isFresh = (source) => {
    const changed = Math.max(statSync(join(root, source)).mtimeMs, oldest);
    return existsSync(objectOf(source)) && statSync(objectOf(source)).mtimeMs >= changed;
  };
  const all = sources(arch);
  await forEachInParallel(
    all.filter((source) => !isFresh(source)),
    async (source) => {
      const said = await run(compiler, [...flags, '-c', source, '-o', objectOf(source)]);
      process.stderr.write(said);
    },
  );
  await run(compiler, ['-shared', '-pthread', ...linkFlags, ...all.map(objectOf), '-o', output]);
}

export function hasTool(name) {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Ends well: what cannot be done here is said in one line. */
export function skip(what, reason) {
  process.stderr.write(`halyard: ${what} skipped: ${reason}\n`);
  process.exit(0);
}
