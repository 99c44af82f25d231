// Records the shipped recordings again: all, or those named. Needs /dev/kvm and the addon; those of another architecture
// need the lab.
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAX_BYTES = 1024 * 1024;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'recordings');
const all = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const given = process.argv.length > 2 ? process.argv.slice(2) : all;
/** Both VMs of one run, made by a command of its own. */
const isTwoVms = (name) => name.startsWith('two-vms-');
const names = given.filter((name) => !isTwoVms(name));

/** `record.json` says what happens to a run from outside, and in which lab it runs. */
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

/** Records one run; kills its device once the balloon holds so much. @returns the exit code */
async function record(name, trace) {
  const config = join(folder, name, 'config.json');
  const { killDeviceAtBalloonMiB = Number.POSITIVE_INFINITY } = disturbance(name);
  const args = [join(root, 'dist/bin/halyard.cjs'), 'record', trace, '--config', config];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  let toKill = Number.isFinite(killDeviceAtBalloonMiB);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      console.log(line);
      const balloonMiB = Number(/balloon (\d+) MiB/.exec(line)?.[1] ?? 0);
      if (!toKill || balloonMiB < killDeviceAtBalloonMiB) continue;
      killChild(child.pid);
      toKill = false;
    }
  } finally {
    if (child.exitCode === null) child.kill();
  }
  if (toKill) throw new Error(`the balloon never held ${killDeviceAtBalloonMiB} MiB`);
  return ended;
}

/** Records one run of a Linux guest in the lab. @returns the exit code */
function recordInLab(name, arch, trace) {
  const out = mkdtempSync(join(tmpdir(), 'halyard-record-'));
  const images = '--kernel /guest/vmlinuz --initrd /guest/initrd';
  const command = `halyard record /out/run.mcap --config recordings/${name}/config.json ${images}`;
  const args = ['dist/lab/main.js', '--arch', arch, '--out', out, command];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) copyFileSync(join(out, 'run.mcap'), trace);
  rmSync(out, { recursive: true });
  return status ?? 1;
}

for (const name of names) {
  const trace = join(folder, name, 'run.mcap');
  console.log(`${name}:`);
  const { lab } = disturbance(name);
  const status = lab === undefined ? await record(name, trace) : recordInLab(name, lab, trace);
  if (status !== 0) process.exit(status);
  const { size } = statSync(trace);
  if (size > MAX_BYTES) {
    console.error(`${trace} has ${size} bytes; a recording has ${MAX_BYTES} at most`);
    process.exit(1);
  }
}

if (given.some(isTwoVms)) {
  const { status } = spawnSync(process.execPath, ['dist/lab/two-vms/main.js'], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
