import 'reflect-metadata';
import { openSync, readdirSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { implement } from '../../../src/index.js';
import { runLane } from '../../../src/run.js';
import { Recording } from '../../../src/trace/recording.js';
import { Random } from '../random.js';
import { Mill, steadyWork } from './steady-work.js';

/**
 * A process that records without end, to be killed. It tells a second file, write by write, when each turn was completed
 * and when the thread that writes the trace has run: what stands there was true at the kill.
 */
const [mode, trace, report, seed] = process.argv.slice(2) as [string, string, string, string];
const random = new Random(Number(seed));
const reportFd = openSync(report, 'a');
const BEAT_MS = 5;

const nowMs = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
};
const say = (text: string): void => void writeSync(reportFd, text);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const threads = (): string[] => readdirSync('/proc/self/task');

const others = threads();

const recording = new Recording({
  path: trace,
  program: { ...steadyWork, config: {} },
  contracts: steadyWork.contracts,
  library: 'halyard test',
  machine: {},
  onError: (error) => {
    throw error;
  },
});
const started = threads().filter((thread) => !others.includes(thread));
if (started.length !== 1) throw new Error(`which of these writes the trace: ${started}?`);
const lane = recording.lane('main');

/** What each way of working makes of the next turn. */
const orders: Record<string, () => { pieces: number; us: number; waitMs: number | undefined }> = {
  /** A turn now and then; the event loop rests between. */
  steady: () => ({ pieces: 1 + random.below(3), us: 0, waitMs: random.below(4) }),
  /** A turn after the other; no timer ever runs. */
  breathless: () => ({ pieces: 1, us: 300 + random.below(700), waitMs: undefined }),
  /** Some turns, then nothing for longer than a turn may be held back. */
  bursts: () => ({ pieces: 1, us: 0, waitMs: random.below(12) === 0 ? 150 : 0 }),
  /** Turns that last long, of calls that do not. */
  'long turns': () =>
    random.below(4) === 0
      ? { pieces: 15, us: 15_000 + random.below(5_000), waitMs: 0 }
      : { pieces: 1, us: 0, waitMs: random.below(3) },
  /** Calls that hold everything up for longer than a turn may be held back. */
  blocking: () => ({
    pieces: 1,
    us: random.below(6) === 0 ? 120_000 : 100,
    waitMs: random.below(3),
  }),
};
const next = orders[mode];
if (next === undefined) throw new Error(`no such way of working: ${mode}`);

const mill = implement(Mill, (emit) => {
  let turn = 0;
  const order = (): void => {
    const { pieces, us, waitMs } = next();
    const isBreathless = waitMs === undefined;
    turn += 1;
    emit.order({ turn, pieces, us, isLast: isBreathless ? 0 : 1 });
    if (!isBreathless) setTimeout(order, waitMs);
  };
  setImmediate(order);
  return {
    grind: ({ us }) => {
      if (us > 0) Atomics.wait(sleeper, 0, 0, us / 1000);
      return random.below(2 ** 32);
    },
    again: () => order(),
  };
});

new Worker(new URL('canary.js', import.meta.url), {
  workerData: { fd: reportFd, beatMs: BEAT_MS, threadId: started[0] },
});
runLane(
  steadyWork,
  'main',
  {},
  {
    kind: 'recording',
    implementations: [mill],
    clockNs: () => Math.round(nowMs() * 1e6),
    sink: {
      turn: (number, timeNs, bytes, end) => {
        lane.turn(number, timeNs, bytes, end);
        say(`turn ${number} ${nowMs()}\n`);
      },
    },
  },
);
