import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function millisecondsOf(body: () => void): number {
  const started = performance.now();
  body();
  return performance.now() - started;
}

/** How long something took: by the clock, and of the processors (all threads), which other processes disturb less. */
export interface Duration {
  readonly ms: number;
  readonly cpuMs: number;
}

export function durationOf(body: () => void): Duration {
  const before = process.cpuUsage();
  const ms = millisecondsOf(body);
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** Measures two things in turn, so that what disturbs the machine disturbs both; the order changes every round. */
export function alternate<T>(
  rounds: number,
  first: () => T,
  second: () => T,
): { first: T[]; second: T[] } {
  const results: { first: T[]; second: T[] } = { first: [], second: [] };
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) results.first.push(first());
    results.second.push(second());
    if (round % 2 === 1) results.first.push(first());
  }
  return results;
}

/** Gives `body` a directory that is gone afterwards. */
export async function withTempDir<T>(body: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'halyard-bench-'));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
