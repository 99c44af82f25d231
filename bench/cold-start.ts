import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alternate, median, millisecondsOf } from './measure.js';
import type { Skipped } from './skipped.js';

export interface ColdStartFigures {
  readonly coldStartRatio: number;
  readonly coldStartMs: number;
  readonly bareStartMs: number;
  readonly coldStartTraceBytes: number;
}

const ROUNDS = 15;
const COMMAND = fileURLToPath(new URL('../bin/halyard.cjs', import.meta.url));
const RECORDINGS = fileURLToPath(new URL('../../recordings', import.meta.url));

function start(args: readonly string[]): number | undefined {
  let status: number | null = null;
  const ms = millisecondsOf(() => {
    status = spawnSync(process.execPath, args, { stdio: 'ignore' }).status;
  });
  return status === 0 ? ms : undefined;
}

function mustStart(args: readonly string[]): number {
  const ms = start(args);
  if (ms === undefined) throw new Error(`node ${args.join(' ')} failed`);
  return ms;
}

/** The shipped recordings, the smallest first. */
function recordings(): string[] {
  if (!existsSync(RECORDINGS)) return [];
  return readdirSync(RECORDINGS)
    .map((name) => join(RECORDINGS, name, 'run.mcap'))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(a).size - statSync(b).size);
}

/** `halyard replay` of the smallest shipped recording against a Node that does nothing. */
export function coldStartFigures(): ColdStartFigures | Skipped {
  if (!existsSync(COMMAND)) return { skipped: 'the command is not bundled: npm run build:ts' };
  const trace = recordings().find((path) => start([COMMAND, 'replay', path]) !== undefined);
  if (trace === undefined) return { skipped: 'no shipped recording replays' };
  const { first, second } = alternate(
    ROUNDS,
    () => mustStart(['-e', '0']),
    () => mustStart([COMMAND, 'replay', trace]),
  );
  return {
    coldStartRatio: median(second) / median(first),
    coldStartMs: median(second),
    bareStartMs: median(first),
    coldStartTraceBytes: statSync(trace).size,
  };
}
