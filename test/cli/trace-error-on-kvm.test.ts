import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { NO_JAIL } from '../../src/cli/device-jail.js';
import { whyNoKvm } from '../machine/kvm-lab.js';
import { scratchDirectory } from '../trace/support.js';

const MAIN = 'dist/bin/halyard.cjs';
const reason = whyNoKvm();
/** Guests need hardware; without it these tests say why they are skipped. */
const onKvm = reason === undefined ? test.serial : test.skip;
const name = (title: string): string => (reason === undefined ? title : `${title} (${reason})`);

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const SMALL = ['--memory', '32', '--touch', '8', '--seconds', '1.5', '--device', 'in-process'];

/** Runs a small VM with the real command; `started` is called when its guest is up. */
async function run(
  args: readonly string[],
  started: (pid: number) => void = () => {},
): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, 'run', ...SMALL, ...args]);
  let [stdout, stderr, isUp] = ['', '', false];
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
    if (isUp || !stdout.includes('micro-guest: ready')) return;
    isUp = true;
    started(child.pid ?? 0);
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  // What a run without a jail says first is another test's.
  return { code, stdout, stderr: stderr.replace(`halyard: ${NO_JAIL}\n`, '') };
}

/** The trace failed: that is said once, in one line, and in the exit code. */
function toldOnce(t: ExecutionContext, { code, stderr }: Run, pattern: RegExp, expected = 1): void {
  t.is(code, expected, stderr);
  t.regex(stderr, pattern);
  t.is(stderr.trim().split('\n').length, 1, stderr);
}

onKvm(
  name('a full disk from the start: stop ends the VM, go-on lets it run to its end'),
  async (t) => {
    const stopped = await run(['--record', '/dev/full', '--on-trace-error', 'stop']);
    toldOnce(t, stopped, /\/dev\/full: write failed with ENOSPC after 0 bytes; .*; the VM stops\n/);
    t.notRegex(stopped.stdout, /time is up/);
    const went = await run(['--record', '/dev/full', '--on-trace-error', 'go-on']);
    toldOnce(t, went, /\/dev\/full: write failed with ENOSPC after 0 bytes; .*; the VM goes on\n/);
    t.regex(went.stdout, /time is up/);
  },
);

onKvm(name('with --json the result says why there is no whole trace'), async (t) => {
  const { code, stdout } = await run([
    '--record',
    '/dev/full',
    '--on-trace-error',
    'go-on',
    '--json',
  ]);
  t.is(code, 1);
  t.regex((JSON.parse(stdout) as { traceError: string }).traceError, /ENOSPC/);
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
const limited = hasPrlimit ? onKvm : test.skip;
for (const how of ['stop', 'go-on'] as const) {
  limited(
    name(`no room for the trace in the middle of a run: ${how} (needs prlimit)`),
    async (t) => {
      const trace = join(scratchDirectory(t), 'run.mcap');
      const result = await run(['--record', trace, '--on-trace-error', how], (pid) => {
        // Memory of the guest is a file too, so the limit comes when that has its size, and the first turns are written.
        const limit = () =>
          spawnSync('prlimit', ['--pid', String(pid), `--fsize=${statSync(trace).size + 600}`]);
        setTimeout(limit, 300);
      });
      const word = how === 'stop' ? 'stops' : 'goes on';
      toldOnce(
        t,
        result,
        new RegExp(`write failed with EFBIG after \\d+ bytes; .*; the VM ${word}\n`),
      );
      t.is(/time is up/.test(result.stdout), how === 'go-on', result.stdout);
      t.regex(result.stdout, /trace: .*, broken off\)/);
      const whole = join(scratchDirectory(t), 'whole.mcap');
      t.is(spawnSync(process.execPath, [MAIN, 'repair', trace, '-o', whole]).status, 0);
      const replayed = spawnSync(process.execPath, [MAIN, 'replay', whole], { encoding: 'utf8' });
      t.regex(replayed.stdout, /identical \(exact\)/, replayed.stderr);
    },
  );

  onKvm(name(`the reader of a pipe goes away: ${how}`), async (t) => {
    const fifo = join(scratchDirectory(t), 'pipe');
    t.is(spawnSync('mkfifo', [fifo]).status, 0);
    // Open for both, so that neither side waits for the other.
    const reader = openSync(fifo, 'r+');
    const result = await run(['--record', fifo, '--on-trace-error', how], () => {
      readSync(reader, new Uint8Array(64));
      closeSync(reader);
    });
    const word = how === 'stop' ? 'stops' : 'goes on';
    toldOnce(
      t,
      result,
      new RegExp(`write failed with EPIPE after \\d+ bytes; .*; the VM ${word}\n`),
    );
    t.is(/time is up/.test(result.stdout), how === 'go-on', result.stdout);
  });
}

onKvm(name('a trace that cannot be begun: the VM does not start'), async (t) => {
  const path = join(scratchDirectory(t), 'no', 'such', 'folder.mcap');
  const result = await run(['--record', path, '--on-trace-error', 'go-on']);
  toldOnce(t, result, /open failed with ENOENT; no trace was begun\n/, 2);
  t.is(result.stdout, '');
});

onKvm(name('a trace does not go where the lines of the run go'), async (t) => {
  const { code, stdout, stderr } = await run(['--record', '/dev/stdout']);
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /\/dev\/stdout is where this command writes its own lines/);
});

onKvm(name('who stops reading what the run says does not cut its trace'), async (t) => {
  const trace = join(scratchDirectory(t), 'run.mcap');
  const child = spawn(process.execPath, [MAIN, 'run', ...SMALL, '--record', trace]);
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'exit');
  t.is(code, 0);
  const replayed = spawnSync(process.execPath, [MAIN, 'replay', trace], { encoding: 'utf8' });
  t.regex(replayed.stdout, /identical \(exact\)/, replayed.stderr);
});
