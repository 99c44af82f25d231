import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { replayLane } from '../../src/run.js';
import { TraceFormatError } from '../../src/trace/errors.js';
import { repairTrace } from '../../src/trace/repair.js';
import { laneSource, openTraceFile } from '../../src/trace/trace-file.js';
import { steadyWork } from './kill/steady-work.js';
import { Random } from './random.js';
import { scratchDirectory } from './support.js';

/** What `repair` promises to find again: turns that were completed so long before the kill. */
const PROMISE_MS = 100;
/**
 * The thread that writes the trace looks for turns more often than this while there are any. A longer gap between two
 * signs of it is the machine's: the promise is later by that much. Time that it spent computing counts in full.
 */
const GAP_MS = 15;
const KILLS_PER_MODE = 10;
const LATEST_KILL_MS = 450;
const MODES = ['steady', 'breathless', 'bursts', 'long turns', 'blocking'];
const RECORDER = fileURLToPath(new URL('kill/recorder.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('kill/steady-work.js', import.meta.url));
const COMMAND = 'dist/bin/halyard.cjs';

interface Sign {
  readonly ms: number;
  /** Of the program: the turn that is completed. */
  readonly turn: number | undefined;
  /** Of the thread that writes the trace: how long it was on a processor since its last sign. */
  readonly ranMs: number;
}

function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** What the killed process had told; its last line may be cut. */
function signsIn(report: string): Sign[] {
  const lines = existsSync(report) ? readFileSync(report, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => {
    const [what, value, ms] = line.split(' ');
    const isTurn = what === 'turn';
    return {
      ms: Number(ms),
      turn: isTurn ? Number(value) : undefined,
      ranMs: isTurn ? 0 : Number(value),
    };
  });
}

/** Until when turns are promised: so long the thread that writes has run, or could have, from then to the kill. */
function promisedUntil(signs: readonly Sign[], killedMs: number): number {
  let running = 0;
  let later = killedMs;
  let ranMs = 0;
  for (const sign of signs.filter(({ turn }) => turn === undefined).reverse()) {
    const { ms } = sign;
    if (ms > killedMs) continue;
    running += Math.min(later - ms, Math.max(GAP_MS, ranMs));
    later = ms;
    ranMs = sign.ranMs;
    if (running > PROMISE_MS) return ms;
  }
  return Number.NEGATIVE_INFINITY;
}

/** How many of the first turns the promise covers. */
function promisedTurns(signs: readonly Sign[], killedMs: number): number {
  const until = promisedUntil(signs, killedMs);
  const last = signs.filter(({ turn, ms }) => turn !== undefined && ms <= until).at(-1)?.turn;
  return last === undefined ? 0 : last + 1;
}

interface Killed {
  readonly trace: string;
  readonly signs: readonly Sign[];
  readonly killedMs: number;
}

type IsReady = (signs: readonly Sign[]) => boolean;

const hasTurn: IsReady = (signs) => signs.some(({ turn }) => turn !== undefined);
const hasPromise: IsReady = (signs) => promisedTurns(signs, nowMs()) > 0;

/** Waits until the process has told enough, or ended by itself. */
async function ready(child: ChildProcess, report: string, isReady: IsReady): Promise<void> {
  while (child.exitCode === null && !isReady(signsIn(report))) await delay(5);
}

interface When {
  /** Undefined: at once. */
  readonly isReady: IsReady | undefined;
  readonly delayMs: number;
}

/** In its start-up, after its first turn, or when something is promised; the first of all tests something for sure. */
function randomMoment(random: Random, kill: number): When {
  const delayMs = random.below(LATEST_KILL_MS);
  const phases = [undefined, hasTurn, hasTurn, hasPromise];
  return { isReady: kill === 0 ? hasPromise : phases[random.below(phases.length)], delayMs };
}

/** Starts a recorder, and kills it. */
async function recordAndKill(folder: string, mode: string, seed: number, name: string, when: When) {
  const [trace, report] = [join(folder, `${name}.mcap`), join(folder, `${name}.txt`)];
  const child = spawn(process.execPath, [RECORDER, mode, trace, report, String(seed)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  let killedMs = 0;
  try {
    if (when.isReady !== undefined) await ready(child, report, when.isReady);
    await delay(when.delayMs);
  } finally {
    killedMs = nowMs();
    child.kill('SIGKILL');
  }
  const [, signal] = await ended;
  if (signal !== 'SIGKILL') throw new Error(`the recorder ended by itself: ${complaint}`);
  return { trace, signs: signsIn(report), killedMs } satisfies Killed;
}

/** Replays the one lane of a repaired file. @returns its turns */
function replayAll(path: string): number {
  const trace = openTraceFile(path);
  try {
    trace.reader.verify();
    let turns = 0;
    for (const lane of trace.lanes) {
      turns += replayLane(steadyWork, lane.name, {}, laneSource(trace, lane), {
        complete: false,
      }).turns;
    }
    return turns;
  } finally {
    trace.reader.close();
  }
}

function check(t: ExecutionContext, killed: Killed, about: string): number {
  const promised = promisedTurns(killed.signs, killed.killedMs);
  const repaired = killed.trace.replace('.mcap', '-repaired.mcap');
  try {
    repairTrace(killed.trace, repaired);
    const recovered = replayAll(repaired);
    t.true(recovered >= promised, `${about}: ${promised} turns promised, ${recovered} recovered`);
  } catch (error) {
    // A recorder that is killed before its first turn leaves nothing that could replay.
    const isRefusal = error instanceof TraceFormatError;
    t.true(isRefusal && promised === 0, `${about}: ${promised} turns promised; ${String(error)}`);
  }
  return promised;
}

for (const [index, mode] of MODES.entries()) {
  test.serial(`killed at ${KILLS_PER_MODE} random moments (${mode})`, async (t) => {
    const folder = scratchDirectory(t);
    const seed = Number(process.env['HALYARD_SEED'] ?? Date.now() % 1e6);
    const random = new Random(seed + index * 7_654_321);
    let promised = 0;
    for (let kill = 0; kill < KILLS_PER_MODE; kill += 2) {
      const pair = [kill, kill + 1].map((which) => {
        const moment = randomMoment(random, which);
        return recordAndKill(folder, mode, random.below(2 ** 31), String(which), moment);
      });
      for (const [second, killed] of (await Promise.all(pair)).entries()) {
        promised += check(t, killed, `HALYARD_SEED=${seed} kill ${kill + second}`);
      }
    }
    t.log(`${promised} turns promised`);
    t.true(promised > 0, 'nothing was tested');
  });
}

test.serial('the commands repair and replay what a killed recorder left', async (t) => {
  const folder = scratchDirectory(t);
  const [damaged, whole] = [join(folder, '0.mcap'), join(folder, 'whole.mcap')];
  await recordAndKill(folder, 'steady', 1, '0', { isReady: hasPromise, delayMs: 0 });
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
  t.regex(run('repair', damaged, '-o', whole), /lane main: \d+ turns recovered/);
  t.regex(run('replay', whole, '--program', PROGRAM), /identical \(exact\)/);
});
