import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import { Lines } from './lines.js';
import { Qmp } from './qmp.js';

/** What is compared. The first is Debian's QEMU. */
export const VARIANTS = ['qemu', 'halyard', 'recorded', 'process'] as const;
export type Variant = (typeof VARIANTS)[number];

export interface GuestSetup {
  readonly kernel: string;
  readonly initrd: string;
  readonly memoryMiB: number;
  readonly balloonMiB: number;
  readonly commandLine: string;
}

/** A VM monitor with a guest whose console the benchmark reads and types on. */
export interface Vmm {
  /** When its process was started, by `performance.now()`. */
  readonly startedAtMs: number;
  readonly pid: number;
  readonly console: Lines;
  type(line: string): void;
  /** Sets the balloon's target; when it is set `begun` is called. Returns when the guest says that it holds so much. */
  inflate(begun: () => void): Promise<void>;
  /** Ends it in order. */
  end(): Promise<void>;
  kill(): void;
}

const FOREVER_S = 600;
const SOCKET = '/tmp/bench-qmp';

export const TRACE = '/tmp/bench.mcap';

export function qemuArgs(guest: GuestSetup): readonly string[] {
  const { memoryMiB, kernel, initrd, commandLine } = guest;
  return [
    ...['-M', 'microvm,memory-backend=ram', '-accel', 'kvm', '-cpu', 'host', '-smp', '1'],
    ...['-object', `memory-backend-memfd,id=ram,size=${memoryMiB}M,share=on`],
    ...['-m', `${memoryMiB}M`, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', commandLine],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...['-device', 'virtio-balloon-device', '-qmp', `unix:${SOCKET},server=on,wait=off`],
  ];
}

/** The console is on standard input and output; what the steps find out comes on standard error. */
export function halyardArgs(guest: GuestSetup, variant: Variant): readonly string[] {
  const { memoryMiB, balloonMiB, kernel, initrd, commandLine } = guest;
  const steps = [
    { waitLine: '^bench: (inflate)$', as: 'begun' },
    { balloonMiB },
    { waitActualMiB: balloonMiB },
    { measure: 'inflated' },
    { waitLine: '^bench: end$' },
    { stop: true },
  ];
  return [
    ...['run', '--kernel', kernel, '--initrd', initrd, '--append', commandLine],
    ...['--memory', `${memoryMiB}MiB`, '--policy', 'off'],
    ...['--scenario', JSON.stringify({ steps, stepTimeoutSeconds: FOREVER_S })],
    ...(variant === 'recorded' ? ['--record', TRACE] : []),
    ...['--device', variant === 'process' ? 'process' : 'in-process'],
  ];
}

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly console: Lines;
  readonly said: Lines;
}

function start(program: string, args: readonly string[]): Started {
  const startedAtMs = performance.now();
  const child = spawn(program, args, { stdio: 'pipe' });
  if (child.pid === undefined) throw new Error(`${program} did not start`);
  const console = new Lines();
  const said = new Lines();
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => console.feed(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
    said.feed(text);
  });
  child.on('close', (code) => {
    for (const lines of [console, said]) {
      lines.end(`${program} ended with ${code}; it said ${complaints.slice(-500)}`);
    }
  });
  // It may end before what is typed is read; then its lines end.
  child.stdin.on('error', () => {});
  return { child, pid: child.pid, startedAtMs, console, said };
}

const typeOn =
  ({ child }: Started) =>
  (line: string) =>
    void child.stdin?.write(`${line}\n`);

async function ended({ child }: Started): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}

export function startVmm(variant: Variant, guest: GuestSetup): Vmm {
  return variant === 'qemu' ? startQemu(guest) : startHalyard(guest, variant);
}

function startQemu(guest: GuestSetup): Vmm {
  rmSync(SOCKET, { force: true });
  const started = start('/peer/qemu', qemuArgs(guest));
  const connected = Qmp.connect(SOCKET);
  return {
    ...started,
    type: typeOn(started),
    inflate: async (begun) => {
      const qmp = await connected;
      const target = (guest.memoryMiB - guest.balloonMiB) * BYTES_PER_MIB;
      begun();
      await qmp.execute('balloon', { value: target });
      await waitForBalloon(qmp, target);
    },
    end: async () => {
      const qmp = await connected;
      await qmp.execute('quit');
      qmp.close();
      await ended(started);
    },
    kill: () => void started.child.kill('SIGKILL'),
  };
}

/** Asks rarely at first and then often: a question costs QEMU time, and the answer decides when the clock stops. */
async function waitForBalloon(qmp: Qmp, targetBytes: number): Promise<void> {
  const startedAtMs = performance.now();
  let fromBytes: number | undefined;
  for (;;) {
    const { actual } = (await qmp.execute('query-balloon')) as { actual: number };
    if (actual === targetBytes) return;
    fromBytes ??= actual;
    const elapsedMs = performance.now() - startedAtMs;
    await sleep(pauseMs(elapsedMs, fromBytes - actual, actual - targetBytes));
  }
}

const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;

/** Half of the time that the rest will take at the pace so far. */
export function pauseMs(elapsedMs: number, doneBytes: number, leftBytes: number): number {
  const half = doneBytes > 0 ? ((elapsedMs / doneBytes) * leftBytes) / 2 : LONGEST_PAUSE_MS;
  return Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, half));
}

function startHalyard(guest: GuestSetup, variant: Variant): Vmm {
  const started = start('halyard', halyardArgs(guest, variant));
  const { said } = started;
  const type = typeOn(started);
  return {
    ...started,
    type,
    inflate: async (begun) => {
      type('echo bench: inflate');
      await said.find(/ begun: /);
      begun();
      await said.find(/ inflated: /);
    },
    end: async () => {
      type('echo bench: end');
      await ended(started);
    },
    kill: () => void started.child.kill('SIGKILL'),
  };
}
