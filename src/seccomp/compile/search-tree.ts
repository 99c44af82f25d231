import { JEQ_K, JGE_K } from '../bpf/opcodes.js';
import type { Graph, NodeId } from './graph.js';
import { HoleTable } from './hole-table.js';

/** Values of a word that lead to the same place. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly target: NodeId;
  /** How often the word is in it. */
  readonly weight: number;
}

export interface SearchTree {
  readonly root: NodeId;
  /** Sum of each interval's weight times the comparisons that lead to it. */
  readonly cost: number;
}

/** More intervals than this are halved by weight before they are searched for the optimum, which takes cubic time. */
const MAX_OPTIMAL = 224;

function heaviestBoundary(intervals: readonly Interval[]): number {
  const total = intervals.reduce((sum, { weight }) => sum + weight, 0);
  let left = 0;
  for (let at = 0; at < intervals.length - 1; at++) {
    left += intervals[at]?.weight ?? 0;
    if (left * 2 >= total) return Math.max(1, Math.min(at + 1, intervals.length - 1));
  }
  return intervals.length >> 1;
}

/** Neighbours with the same target are one. */
export function mergeNeighbours(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const interval of intervals) {
    const last = merged.at(-1);
    if (last?.target !== interval.target) merged.push(interval);
    else {
      merged[merged.length - 1] = {
        ...last,
        high: interval.high,
        weight: last.weight + interval.weight,
      };
    }
  }
  return merged;
}

/**
 * The best tree of comparisons (`==` and `>=`) that finds a word's interval. The intervals cover all values in order.
 * `perTest` is what a comparison costs by being there, executed or not, in units of weight.
 */
export function searchTree(
  graph: Graph,
  intervals: readonly Interval[],
  perTest: number,
): SearchTree {
  if (intervals.length > MAX_OPTIMAL) {
    const middle = heaviestBoundary(intervals);
    const left = searchTree(graph, intervals.slice(0, middle), perTest);
    const right = searchTree(graph, intervals.slice(middle), perTest);
    const weight = intervals.reduce((sum, interval) => sum + interval.weight, 0);
    const boundary = intervals[middle]?.low ?? 0;
    return {
      root: graph.test(JGE_K, boundary, right.root, left.root),
      cost: weight + left.cost + right.cost,
    };
  }
  const table = new HoleTable(intervals, perTest);
  const build = (first: number, last: number, holes: number): NodeId => {
    const choice = table.choice(first, last, holes);
    if (choice.kind === 'leaf') return choice.target;
    if (choice.kind === 'equal') {
      const { low, target } = intervals[choice.at] as Interval;
      return graph.test(JEQ_K, low, target, build(first, last, holes + 1));
    }
    const { at, leftHoles, rightHoles } = choice;
    const left = build(first, at, leftHoles);
    const right = build(at + 1, last, rightHoles);
    return graph.test(JGE_K, (intervals[at + 1] as Interval).low, right, left);
  };
  return { root: build(0, intervals.length - 1, 0), cost: table.cost };
}
