import type { NodeId } from './graph.js';

interface Weighted {
  readonly low: number;
  readonly high: number;
  readonly target: NodeId;
  readonly weight: number;
}

export type Choice =
  | { readonly kind: 'leaf'; readonly target: NodeId }
  /** Compare with the single value of interval `at`. */
  | { readonly kind: 'equal'; readonly at: number }
  /** Compare with the begin of interval `at + 1`. */
  | {
      readonly kind: 'split';
      readonly at: number;
      readonly leftHoles: number;
      readonly rightHoles: number;
    };

const LEAF = -1;
const EQUAL = -2;

/** Single values that may be compared away from one range of intervals before it is split. */
const MAX_HOLES = 6;

/**
 * Finds the cheapest comparison tree over intervals by dynamic programming. A state is a range of neighbouring intervals
 * of which the `holes` heaviest single values have been compared away; comparing the heaviest first is optimal. What
 * remains is a leaf if it all leads to one place.
 */
export class HoleTable {
  readonly #n: number;
  readonly #targets: Int32Array;
  /** Sums of the weights before an interval. */
  readonly #sums: Float64Array;
  readonly #weights: Float64Array;
  /** Of each range, its heaviest single values, heaviest first; -1 from the first that is missing. */
  readonly #heaviest: Int16Array;
  readonly #costs: Float64Array;
  readonly #choices: Int16Array;

  constructor(intervals: readonly Weighted[], perTest: number) {
    const n = intervals.length;
    this.#n = n;
    this.#targets = Int32Array.from(intervals, ({ target }) => target);
    this.#weights = Float64Array.from(intervals, ({ weight }) => weight);
    this.#sums = new Float64Array(n + 1);
    for (let at = 0; at < n; at++) {
      this.#sums[at + 1] = (this.#sums[at] as number) + (this.#weights[at] as number);
    }
    this.#heaviest = new Int16Array(n * n * MAX_HOLES).fill(-1);
    this.#costs = new Float64Array(n * n * (MAX_HOLES + 1));
    this.#choices = new Int16Array(n * n * (MAX_HOLES + 1));
    const isSingle = Uint8Array.from(intervals, ({ low, high }) => (low === high ? 1 : 0));
    for (let first = n - 1; first >= 0; first--) {
      for (let last = first; last < n; last++) {
        this.#rank(first, last, isSingle[last] === 1);
        this.#solve(first, last, perTest);
      }
    }
  }

  /** Of the whole. */
  get cost(): number {
    return this.#costs[(this.#n - 1) * (MAX_HOLES + 1)] as number;
  }

  choice(first: number, last: number, holes: number): Choice {
    const range = first * this.#n + last;
    const choice = this.#choices[range * (MAX_HOLES + 1) + holes] as number;
    if (choice === LEAF) {
      return {
        kind: 'leaf',
        target: this.#targets[this.#firstLeft(range, first, holes)] as number,
      };
    }
    if (choice === EQUAL) {
      return { kind: 'equal', at: this.#heaviest[range * MAX_HOLES + holes] as number };
    }
    let leftHoles = 0;
    for (let t = 0; t < holes; t++) {
      if ((this.#heaviest[range * MAX_HOLES + t] as number) <= choice) leftHoles++;
    }
    return { kind: 'split', at: choice, leftHoles, rightHoles: holes - leftHoles };
  }

  /** The heaviest of a range are those of the range without its last, and perhaps the last. */
  #rank(first: number, last: number, lastIsSingle: boolean): void {
    const heaviest = this.#heaviest;
    const to = (first * this.#n + last) * MAX_HOLES;
    let count = 0;
    if (last > first) {
      const from = to - MAX_HOLES;
      while (count < MAX_HOLES && (heaviest[from + count] as number) >= 0) {
        heaviest[to + count] = heaviest[from + count] as number;
        count++;
      }
    }
    if (!lastIsSingle) return;
    const weight = this.#weights[last] as number;
    let at = count;
    while (at > 0 && (this.#weights[heaviest[to + at - 1] as number] as number) < weight) at--;
    for (let t = Math.min(count, MAX_HOLES - 1); t > at; t--) {
      heaviest[to + t] = heaviest[to + t - 1] as number;
    }
    if (at < MAX_HOLES) heaviest[to + at] = last;
  }

  #isHole(range: number, at: number, holes: number): boolean {
    for (let t = 0; t < holes; t++) if (this.#heaviest[range * MAX_HOLES + t] === at) return true;
    return false;
  }

  #firstLeft(range: number, first: number, holes: number): number {
    let at = first;
    while (this.#isHole(range, at, holes)) at++;
    return at;
  }

  #isLeaf(range: number, first: number, last: number, holes: number): boolean {
    const from = this.#firstLeft(range, first, holes);
    for (let at = from + 1; at <= last; at++) {
      if (this.#targets[at] !== this.#targets[from] && !this.#isHole(range, at, holes))
        return false;
    }
    return true;
  }

  #solve(first: number, last: number, perTest: number): void {
    const range = first * this.#n + last;
    let possible = 0;
    while (
      possible < MAX_HOLES &&
      possible < last - first &&
      (this.#heaviest[range * MAX_HOLES + possible] as number) >= 0
    ) {
      possible++;
    }
    for (let holes = possible; holes >= 0; holes--) {
      this.#solveState(first, last, range, holes, holes < possible, perTest);
    }
  }

  #solveState(
    first: number,
    last: number,
    range: number,
    holes: number,
    mayCompare: boolean,
    perTest: number,
  ): void {
    const state = range * (MAX_HOLES + 1) + holes;
    if (this.#isLeaf(range, first, last, holes)) {
      this.#choices[state] = LEAF;
      return;
    }
    const costs = this.#costs;
    let weight = (this.#sums[last + 1] as number) - (this.#sums[first] as number);
    // Bits of the holes' places, by which a split knows how many are to its left.
    const places: number[] = [];
    for (let t = 0; t < holes; t++) {
      const at = this.#heaviest[range * MAX_HOLES + t] as number;
      weight -= this.#weights[at] as number;
      places.push(at);
    }
    places.sort((a, b) => a - b);
    let best = mayCompare ? (costs[state + 1] as number) : Number.POSITIVE_INFINITY;
    let choice = EQUAL;
    let left = 0;
    for (let at = first; at < last; at++) {
      if (left < holes && places[left] === at) {
        left++;
        // A side of holes only has nothing to find.
        if (left === at - first + 1) continue;
      }
      if (holes - left === last - at) break;
      const cost =
        (costs[(first * this.#n + at) * (MAX_HOLES + 1) + left] as number) +
        (costs[((at + 1) * this.#n + last) * (MAX_HOLES + 1) + holes - left] as number);
      if (cost < best) {
        best = cost;
        choice = at;
      }
    }
    costs[state] = best + weight + perTest;
    this.#choices[state] = choice;
  }
}
