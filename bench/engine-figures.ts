import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JitlessResult, MemoryResult } from './child.js';
import { bytesPerCall, recordTo, replayFrom, runLive } from './engine.js';
import { alternate, type Duration, durationOf, median } from './measure.js';
import { callsOf } from './workload.js';

export interface EngineFigures {
  readonly turns: number;
  readonly calls: number;
  readonly bareNsPerCall: number;
  readonly recordNsPerCall: number;
  /** Of the quickest recorded and the quickest bare run: nearer to a quiet machine. */
  readonly recordNsPerCallBest: number;
  readonly replayCallsPerSecond: number;
  readonly replayCallsPerSecondBest: number;
  /** Processor time instead of the clock's. */
  readonly recordCpuNsPerCall: number;
  readonly replayCallsPerCpuSecond: number;
  readonly traceBytesPerCall: number;
  readonly recordMemoryBytes: number;
  readonly recordMemoryTenfoldBytes: number;
  readonly replayMemoryBytes: number;
  readonly replayMemoryTenfoldBytes: number;
}

export interface JitlessFigures {
  readonly jitlessRecordNsPerCall: number;
  readonly jitlessReplayCallsPerSecond: number;
}

const RECORD_ROUNDS = 9;
const REPLAY_ROUNDS = 9;
const TENFOLD = 10;
/** Without the compiler everything takes ten times as long. */
const JITLESS_SHARE = 10;
const CHILD = fileURLToPath(new URL('./child.cjs', import.meta.url));

function child<T>(flags: readonly string[], task: string, path: string, turns: number): T {
  const args = [...flags, CHILD, task, path, String(turns)];
  // A jitless Node warns on stderr; after a failure the error has what stands there.
  const options = { encoding: 'utf8', stdio: 'pipe' } as const;
  return JSON.parse(execFileSync(process.execPath, args, options)) as T;
}

function clock(durations: readonly Duration[]): number[] {
  return durations.map(({ ms }) => ms);
}

function cpu(durations: readonly Duration[]): number[] {
  return durations.map(({ cpuMs }) => cpuMs);
}

export function engineFigures(
  directory: string,
  turns: number,
  progress: (what: string) => void,
): EngineFigures {
  const path = join(directory, 'workload.mcap');
  const calls = callsOf(turns);
  const nsPerCall = (ms: number) => (ms * 1e6) / calls;
  progress('recording');
  recordTo(path, turns);
  runLive(turns);
  const { first: bare, second: recorded } = alternate(
    RECORD_ROUNDS,
    () => durationOf(() => runLive(turns)),
    () => durationOf(() => recordTo(path, turns)),
  );
  progress('replaying');
  const replayed = Array.from({ length: REPLAY_ROUNDS }, () => durationOf(() => replayFrom(path)));
  progress('memory over ten times the turns');
  const long = join(directory, 'long.mcap');
  const memory = (task: string, file: string, count: number) =>
    child<MemoryResult>([], task, file, count).peakBytes;
  return {
    turns,
    calls,
    bareNsPerCall: nsPerCall(median(clock(bare))),
    recordNsPerCall: nsPerCall(median(clock(recorded)) - median(clock(bare))),
    recordNsPerCallBest: nsPerCall(Math.min(...clock(recorded)) - Math.min(...clock(bare))),
    replayCallsPerSecond: (calls * 1000) / median(clock(replayed)),
    replayCallsPerSecondBest: (calls * 1000) / Math.min(...clock(replayed)),
    recordCpuNsPerCall: nsPerCall(median(cpu(recorded)) - median(cpu(bare))),
    replayCallsPerCpuSecond: (calls * 1000) / median(cpu(replayed)),
    traceBytesPerCall: bytesPerCall(path, turns),
    recordMemoryBytes: memory('record', path, turns),
    recordMemoryTenfoldBytes: memory('record', long, turns * TENFOLD),
    replayMemoryBytes: memory('replay', path, turns),
    replayMemoryTenfoldBytes: memory('replay', long, turns * TENFOLD),
  };
}

/** A child without compiler and WebAssembly, as a jailed device is one: it streams its turns uncompressed. */
export function jitlessFigures(directory: string, turns: number): JitlessFigures {
  const share = Math.max(1, Math.floor(turns / JITLESS_SHARE));
  const path = join(directory, 'turns.raw');
  const { bareMs, recordMs, replayMs } = child<JitlessResult>(
    ['--jitless'],
    'jitless',
    path,
    share,
  );
  const calls = callsOf(share);
  return {
    jitlessRecordNsPerCall: ((recordMs - bareMs) * 1e6) / calls,
    jitlessReplayCallsPerSecond: (calls * 1000) / replayMs,
  };
}
