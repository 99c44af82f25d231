// Records the shipped recordings again: all, or those named. Needs /dev/kvm and the addon.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAX_BYTES = 1024 * 1024;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'recordings');
const all = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const names = process.argv.length > 2 ? process.argv.slice(2) : all;

/** `record.json` says what happens to a run from outside. */
function disturbance(name) {
  const file = join(folder, name, 'record.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/** Kills the one child of a process: its device. */
function killChild(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/);
  if (children.length !== 1 || children[0] === '') {
    throw new Error(`expected one device process, found ${children.length}`);
  }
  process.kill(Number(children[0]), 'SIGKILL');
}

for (const name of names) {
  const [config, trace] = ['config.json', 'run.mcap'].map((file) => join(folder, name, file));
  console.log(`${name}:`);
  const child = spawn(
    process.execPath,
    [join(root, 'dist/bin/halyard.mjs'), 'record', trace, '--config', config],
    { stdio: 'inherit' },
  );
  const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  const { killDeviceAfterMs } = disturbance(name);
  if (killDeviceAfterMs !== undefined) {
    await wait(killDeviceAfterMs);
    killChild(child.pid);
  }
  const status = await ended;
  if (status !== 0) process.exit(status);
  const { size } = statSync(trace);
  if (size > MAX_BYTES) {
    console.error(`${trace} has ${size} bytes; a recording has ${MAX_BYTES} at most`);
    process.exit(1);
  }
}
