import type { NodeId } from './graph.js';
import { type Interval, mergeNeighbours } from './search-tree.js';
import { LAST_VALUE } from './word-classes.js';

/** A number that makes at least this part of all syscalls may be compared alone though its neighbours go the same way. */
const HOT = 1 / 100;

/** What a refused number counts: its path is kept short only where that costs nothing. */
const REFUSED = 1e-6;

function merge(intervals: readonly Interval[], isHot: (interval: Interval) => boolean): Interval[] {
  const merged: Interval[] = [];
  let run: Interval[] = [];
  const flush = () => {
    merged.push(...mergeNeighbours(run));
    run = [];
  };
  for (const interval of intervals) {
    if (isHot(interval)) {
      flush();
      merged.push(interval);
    } else run.push(interval);
  }
  flush();
  return merged;
}

/**
 * All numbers in order, by where they lead: neighbours that lead to the same place are one interval, but for hot ones.
 * @param weights of all numbers that are made, those of `targets` among them
 */
export function dispatchIntervals(
  targets: ReadonlyMap<number, NodeId>,
  fallback: NodeId,
  weights: ReadonlyMap<number, number>,
): Interval[] {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const intervals: Interval[] = [];
  let next = 0;
  const gap = (end: number) => {
    if (end < next) return;
    intervals.push({ low: next, high: end, target: fallback, weight: total * REFUSED });
  };
  for (const [number, weight] of [...weights].sort(([a], [b]) => a - b)) {
    gap(number - 1);
    intervals.push({ low: number, high: number, target: targets.get(number) ?? fallback, weight });
    next = number + 1;
  }
  gap(LAST_VALUE);
  return merge(intervals, ({ low, high, weight }) => low === high && weight >= total * HOT);
}
