import { readFileSync } from 'node:fs';
import { recordTo, replayFrom, replaySource, runLive } from './engine.js';
import { median, millisecondsOf } from './measure.js';
import { RawTurnWriter, rawTurns } from './raw-turns.js';

/** What a child process prints: one JSON object. */
export interface MemoryResult {
  /** The most that was ever resident. */
  readonly peakBytes: number;
}

export interface JitlessResult {
  readonly bareMs: number;
  readonly recordMs: number;
  readonly replayMs: number;
}

const JITLESS_ROUNDS = 3;

function peakBytes(): number {
  const kib = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return kib === undefined ? process.resourceUsage().maxRSS * 1024 : Number(kib) * 1024;
}

function jitless(path: string, turns: number): JitlessResult {
  const bare: number[] = [];
  const record: number[] = [];
  const replay: number[] = [];
  for (let round = 0; round < JITLESS_ROUNDS; round++) {
    bare.push(millisecondsOf(() => runLive(turns)));
    record.push(
      millisecondsOf(() => {
        const sink = new RawTurnWriter(path);
        runLive(turns, sink);
        sink.close();
      }),
    );
    replay.push(millisecondsOf(() => replaySource(rawTurns(path), turns)));
  }
  return { bareMs: median(bare), recordMs: median(record), replayMs: median(replay) };
}

function result(task: string, path: string, turns: number): MemoryResult | JitlessResult {
  switch (task) {
    case 'record':
      recordTo(path, turns);
      return { peakBytes: peakBytes() };
    case 'replay':
      replayFrom(path);
      return { peakBytes: peakBytes() };
    case 'jitless':
      return jitless(path, turns);
    default:
      throw new TypeError(`no task "${task}"`);
  }
}

const [task = '', path = '', turns = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(result(task, path, Number(turns))));
