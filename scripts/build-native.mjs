// Builds the addon with node-gyp, and the micro guest. Quiet when all goes well; `npm ci` never fails because of it,
// unless it is told `--must-work`. The npm package has prebuilds (scripts/prebuilds.mjs): where one loads, nothing is
// compiled; in a checkout one is only used if nothing can be compiled.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const mustWork = process.argv.includes('--must-work');
const logFile = join(root, 'build', 'native-build.log');

/** Whether the package has an addon that loads in this Node. It is tried in a process of its own: loading could end it. */
function prebuildLoads() {
  if (!existsSync(join(root, 'prebuilds'))) return false;
  const code = 'require(require("node-gyp-build").resolve(process.cwd()))';
  const env = { ...process.env, PREBUILDS_ONLY: '1' };
  return spawnSync(process.execPath, ['-e', code], { cwd: root, env }).status === 0;
}

function giveUp(reason) {
  const rest = 'replay and everything but the native profile work';
  process.stderr.write(`halyard: the native addon was not built (${reason}); ${rest}\n`);
  process.exit(mustWork ? 1 : 0);
}

/** npm names the node-gyp it ships to the scripts it runs; outside of npm it lies in npm's own installation. */
function findNodeGyp() {
  const given = process.env.npm_config_node_gyp;
  if (given !== undefined && existsSync(given)) return given;
  const prefix = dirname(dirname(process.execPath));
  const candidates = [
    join(prefix, 'lib', 'node_modules', 'npm'),
    join(prefix, 'share', 'nodejs', 'npm'),
    join(prefix, 'share', 'npm'),
  ].map((npm) => join(npm, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'));
  try {
    const require = createRequire(join(root, 'package.json'));
    candidates.push(require.resolve('node-gyp/bin/node-gyp.js'));
  } catch {
    // Not a dependency: npm's copy is enough.
  }
  return candidates.find((file) => existsSync(file));
}

/** Node's own headers, where it was installed with them: then nothing is downloaded. */
function nodeDirectory() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : undefined;
}

function hasTool(name) {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @returns why it was not built, or undefined. */
function buildAddon() {
  for (const tool of [process.env.CXX ?? 'g++', 'make', 'python3']) {
    if (!hasTool(tool)) return `${tool} is missing`;
  }
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) return 'node-gyp is missing: run this through npm';
  const headers = nodeDirectory();
  const args = [nodeGyp, 'rebuild'];
  if (existsSync(join(root, 'build', 'Makefile'))) args.splice(1, 1, 'configure', 'build');
  if (headers !== undefined) args.push(`--nodedir=${headers}`);
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  mkdirSync(dirname(logFile), { recursive: true });
  writeFileSync(logFile, `${result.stdout ?? ''}${result.stderr ?? ''}`);
  if (result.status === 0) return undefined;
  const output = `${result.stdout}\n${result.stderr}`;
  const line = /^.*(?:error:|Error:).*$/m.exec(output)?.[0].trim();
  return `${line ?? 'node-gyp failed'}; the full log is build/native-build.log`;
}

function buildGuest() {
  const script = join(root, 'scripts', 'build-guest.mjs');
  if (!existsSync(script)) return;
  const args = mustWork ? [script, '--must-work'] : [script];
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (result.status === 0) return;
  const line = `${result.stderr}`.trim().split('\n').at(-1);
  process.stderr.write(`halyard: the micro guest was not built (${line})\n`);
  if (mustWork) process.exit(1);
}

const isCheckout = existsSync(join(root, 'tsconfig.json'));
if (process.platform !== 'linux') giveUp(`it needs Linux, this is ${process.platform}`);
if (mustWork || isCheckout || !prebuildLoads()) {
  const problem = buildAddon();
  if (problem !== undefined && (mustWork || !prebuildLoads())) giveUp(problem);
}
buildGuest();
