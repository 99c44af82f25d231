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
 * Signs of life that are closer together than this count as a thread that runs; a longer silence is one that was held up,
 * by a native call or by a busy machine or disk, and the promise is later by that much. Both count: the program's thread,
 * and one that is like the thread that writes the trace.
 */
const SILENCE_MS = 30;
const KILLS_PER_MODE = 10;
const LATEST_KILL_MS = 450;
const MODES = ['steady', 'breathless', 'bursts', 'long turns', 'blocking'];
const RECORDER = fileURLToPath(new URL('kill/recorder.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('kill/steady-work.js', import.meta.url));
const COMMAND = 'dist/bin/halyard.cjs';

interface Sign {
  readonly thread: 'program' | 'canary';
  /** How long any thread has waited for a processor before; the canary knows. */
  readonly waitedMs: number;
  /** Of a turn that was completed; undefined where the process only says that it is alive. */
  readonly turn: number | undefined;
  readonly ms: number;
}

function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** What the killed process had told; its last line may be cut. */
function signsIn(report: string): Sign[] {
  const lines = existsSync(report) ? readFileSync(report, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => {
    const words = line.split(' ');
    const isCanary = words[0] === 'canary';
    return {
      thread: isCanary ? 'canary' : 'program',
      waitedMs: isCanary ? Number(words[1]) : 0,
      turn: words[0] === 'turn' ? Number(words[1]) : undefined,
      ms: Number(words.at(-1)),
    };
  });
}

/** Until when turns are promised: so long a thread has run from then to the kill. */
function promisedUntil(signs: readonly Sign[], killedMs: number): number {
  let running = 0;
  let later = killedMs;
  let waitedMs = 0;
  for (const sign of [...signs].reverse()) {
    const { ms } = sign;
    if (ms > killedMs) continue;
    running += Math.max(0, Math.min(later - ms, SILENCE_MS) - waitedMs);
    later = ms;
    waitedMs = sign.waitedMs;
    if (running > PROMISE_MS) return ms;
  }
  return Number.NEGATIVE_INFINITY;
}

/** How many of the first turns the promise covers. */
function promisedTurns(signs: readonly Sign[], killedMs: number): number {
  const until = (['program', 'canary'] as const).map((thread) =>
    promisedUntil(
      signs.filter((sign) => sign.thread === thread),
      killedMs,
    ),
  );
  const covered = signs.filter(({ turn, ms }) => turn !== undefined && ms <= Math.min(...until));
  const last = covered.at(-1)?.turn;
  return last === undefined ? 0 : last + 1;
}

interface Killed {
  readonly trace: string;
  readonly signs: readonly Sign[];
  readonly killedMs: number;
}

/** Waits until the process has completed a turn, or ended by itself. */
async function firstTurn(child: ChildProcess, report: string): Promise<void> {
  while (child.exitCode === null && !signsIn(report).some(({ turn }) => turn !== undefined)) {
    await delay(5);
  }
}

/** Starts a recorder, and kills it in its start-up or after some of its turns. */
async function recordAndKill(folder: string, mode: string, random: Random, name: string) {
  const [trace, report] = [join(folder, `${name}.mcap`), join(folder, `${name}.txt`)];
  const delayMs = random.below(LATEST_KILL_MS);
  const inStartUp = random.below(6) === 0;
  const seed = String(random.below(2 ** 31));
  const stdio = ['ignore', 'ignore', 'pipe'] as const;
  const child = spawn(process.execPath, [RECORDER, mode, trace, report, seed], {
    stdio: [...stdio],
  });
  const ended = once(child, 'exit');
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  let killedMs = 0;
  try {
    if (!inStartUp) await firstTurn(child, report);
    await delay(delayMs);
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
      const pair = [kill, kill + 1].map((which) =>
        recordAndKill(folder, mode, random, String(which)),
      );
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
  const random = new Random(1);
  const [damaged, whole] = [join(folder, '0.mcap'), join(folder, 'whole.mcap')];
  let killed: Killed;
  do killed = await recordAndKill(folder, 'steady', random, '0');
  while (promisedTurns(killed.signs, killed.killedMs) === 0);
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
  t.regex(run('repair', damaged, '-o', whole), /lane main: \d+ turns recovered/);
  t.regex(run('replay', whole, '--program', PROGRAM), /identical \(exact\)/);
});
