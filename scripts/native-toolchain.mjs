// What it takes to compile the addon's sources outside of node-gyp: for a sanitizer's build and for clang-tidy.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** The target in binding.gyp, which is JSON as we write it. */
function target() {
  return JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets[0];
}

export function sources() {
  return target().sources;
}

/** Node's headers, where it was installed with them; or undefined. */
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

export function hasTool(name) {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Ends well: what cannot be done here is said in one line. */
export function skip(what, reason) {
  process.stderr.write(`halyard: ${what} skipped: ${reason}\n`);
  process.exit(0);
}
