import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LAB_MACHINES } from '../../lab/machines.js';
import { exitCodeOf, reportLines } from '../../lab/report.js';
import { type HostLimits, runHost } from '../../lab/run-host.js';
import { findTool } from '../../src/guest-image/tool.js';

/** Plays QEMU: connects to the sockets that its arguments name and runs `body`, which may use them. */
const STAND_IN = (body: string) => `#!${process.execPath}
const { connect } = require('node:net');
const { writeFileSync } = require('node:fs');
const pathOf = (name) => process.argv.join(' ').match(new RegExp('id=' + name + ',path=(\\\\S+)'))[1];
const console_ = process.argv.join(' ').match(/-serial file:(\\S+)/)[1];
writeFileSync(console_ + '.pid', String(process.pid));
const [control, stdout, stderr] = ['control', 'stdout', 'stderr'].map((name) => connect(pathOf(name)));
${body}
`;

const canHost = process.platform === 'linux' && findTool('setpriv') !== undefined;
const hosted = canHost ? test : test.skip;

async function run(
  t: ExecutionContext,
  body: string,
  limits: Partial<HostLimits> & { up?: () => void } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-run-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const qemu = join(folder, 'stand-in');
  writeFileSync(qemu, STAND_IN(body));
  chmodSync(qemu, 0o755);
  const heard = { stdout: '', stderr: '' };
  const file = join(folder, 'disk');
  const end = await runHost(
    {
      machine: { ...LAB_MACHINES.x86_64, qemu },
      image: { kernel: file, initrd: file, baseDisk: file },
      projectDisk: file,
      outDisk: file,
      initrd: file,
      processors: 1,
      memoryBytes: 2 ** 30,
      folder,
    },
    {
      stdout: (bytes) => {
        heard.stdout += bytes;
      },
      stderr: (bytes) => {
        heard.stderr += bytes;
      },
      up: limits.up ?? (() => {}),
    },
    { timeoutSeconds: 20, signal: new AbortController().signal, ...limits },
  );
  const pidFile = join(folder, 'console.txt.pid');
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : undefined;
  return { end, heard, pid };
}

function assertGone(t: ExecutionContext, pid: number | undefined): void {
  t.truthy(pid);
  t.throws(() => process.kill(pid ?? 0, 0), { code: 'ESRCH' });
}

hosted("the command's output and exit code come back, to the last byte", async (t) => {
  const { end, heard } = await run(
    t,
    `control.write('up\\nex');
     setTimeout(() => control.end('it 7\\n'), 20);
     stdout.end('x'.repeat(3_000_000));
     stderr.end('complaint');`,
  );
  t.like(end, { how: 'exited', exitCode: 7 });
  t.is(heard.stdout.length, 3_000_000);
  t.is(heard.stderr, 'complaint');
  t.true((end.upSeconds ?? 0) > 0 && (end.commandSeconds ?? -1) >= 0);
  t.is(exitCodeOf(end), 7);
});

hosted('what is still on its way when QEMU ends is waited for', async (t) => {
  const late = `setTimeout(() => require('node:fs').writeSync(3, 'late'), 300)`;
  const { end, heard } = await run(
    t,
    `const { spawn } = require('node:child_process');
     control.end('up\\nexit 0\\n'); stderr.end();
     stdout.on('connect', () => {
       spawn(process.execPath, ['-e', ${JSON.stringify(late)}], { stdio: ['ignore', 'ignore', 'ignore', stdout] });
       setTimeout(() => process.exit(), 100);
     });`,
  );
  t.like(end, { how: 'exited', exitCode: 0 });
  t.is(heard.stdout, 'late');
});

hosted('a host that hangs is ended, with the end of its console', async (t) => {
  const { end, pid } = await run(
    t,
    `writeFileSync(console_, 'line 1\\r\\nstuck here\\r\\n'); setInterval(() => 0, 1000);`,
    { timeoutSeconds: 1 },
  );
  t.like(end, { how: 'timeout', exitCode: undefined, tail: 'line 1\nstuck here' });
  assertGone(t, pid);
  const lines = reportLines(
    { timeoutSeconds: 1, out: 'o' },
    { ...end, files: [], wholeSeconds: 1 },
  );
  t.is(lines[0], 'the host did not end within 1 s (--timeout); its console ended with:');
  t.is(lines[2], '| stuck here');
  t.is(exitCodeOf(end), 3);
});

hosted('a host that ends before its command does is no success', async (t) => {
  const { end } = await run(
    t,
    `control.end('up\\n'); stdout.end(); stderr.end(); console.error('qemu: broken');`,
  );
  t.like(end, { how: 'died', exitCode: undefined, tail: 'qemu: broken' });
  t.is(exitCodeOf(end), 3);
});

hosted('an interrupt ends the host', async (t) => {
  const controller = new AbortController();
  const { end, pid } = await run(t, `control.write('up\\n'); setInterval(() => 0, 1000);`, {
    signal: controller.signal,
    up: () => controller.abort(),
  });
  t.like(end, { how: 'interrupted', exitCode: undefined });
  assertGone(t, pid);
  t.is(exitCodeOf(end), 130);
});
