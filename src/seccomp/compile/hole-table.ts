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
const HOLES = 4;
const STATES = HOLES + 1;

/** Weights are taken as whole numbers, so that sums of them are exact and a part never weighs more than the whole. */
const WEIGHT_OF_ALL = 2 ** 40;

/**
 * In a longer range a value is compared away only if it makes a quarter of the range: below that, a split is as good
 * (known of trees in which no two leaves are the same; measured here).
 */
const SHORT = 10;
const QUARTER = 1 / 4;

/**
 * Ranges longer than this are split near where the ranges without their first and their last interval are: between those
 * two places, as the best search trees are (Knuth), and a few further, as with equality that is no law any more.
 */
const NEAR = 16;
const SLACK = 4;

/** The tables of the search at work, kept: their pages cost more than what is computed in them. */
class Tables {
  heaviest = new Int16Array(0);
  costs = new Float64Array(0);
  choices = new Int16Array(0);

  /** Makes room for n intervals; what is in them is left from before. */
  fit(n: number): void {
    if (this.costs.length >= n * n * STATES) return;
    this.heaviest = new Int16Array(n * n * HOLES);
    this.costs = new Float64Array(n * n * STATES);
    this.choices = new Int16Array(n * n * STATES);
  }
}

const tables = new Tables();

/**
 * Finds the cheapest comparison tree over intervals by dynamic programming. A state is a range of neighbouring intervals
 * of which the `holes` heaviest single values have been compared away; comparing the heaviest first is optimal. What
 * remains is a leaf if it all leads to one place. The next one that is made takes the tables: there is one at a time.
 */
export class HoleTable {
  readonly #n: number;
  readonly #perTest: number;
  readonly #scale: number;
  readonly #targets: Int32Array;
  /** The last interval up to which all have the target of this one. */
  readonly #alikeUntil: Int16Array;
  /** Sums of the weights before an interval. */
  readonly #sums: Float64Array;
  readonly #weights: Float64Array;
  /** Of each range, its heaviest single values, heaviest first; -1 from the first that is missing. */
  readonly #heaviest: Int16Array;
  readonly #costs: Float64Array;
  readonly #choices: Int16Array;
  /** The holes of the state at work, in order of their places, and behind them one that is never reached. */
  readonly #places = new Int16Array(STATES);
  /** What the range at work weighs without its holes, by their count. */
  readonly #remaining = new Float64Array(STATES);

  constructor(intervals: readonly Weighted[], perTest: number) {
    const n = intervals.length;
    this.#n = n;
    const total = intervals.reduce((sum, { weight }) => sum + weight, 0);
    this.#scale = total > 0 ? WEIGHT_OF_ALL / total : 1;
    this.#perTest = perTest * this.#scale;
    this.#targets = Int32Array.from(intervals, ({ target }) => target);
    this.#weights = Float64Array.from(intervals, ({ weight }) => Math.round(weight * this.#scale));
    this.#alikeUntil = new Int16Array(n);
    for (let at = n - 1; at >= 0; at--) {
      const isAlike = at < n - 1 && this.#targets[at] === this.#targets[at + 1];
      this.#alikeUntil[at] = isAlike ? (this.#alikeUntil[at + 1] as number) : at;
    }
    this.#sums = new Float64Array(n + 1);
    for (let at = 0; at < n; at++) {
      this.#sums[at + 1] = (this.#sums[at] as number) + (this.#weights[at] as number);
    }
    tables.fit(n);
    this.#heaviest = tables.heaviest;
    this.#costs = tables.costs;
    this.#choices = tables.choices;
    const isSingle = Uint8Array.from(intervals, ({ low, high }) => (low === high ? 1 : 0));
    for (let first = n - 1; first >= 0; first--) {
      for (let last = first; last < n; last++) {
        this.#rank(first, last, isSingle[last] === 1);
        this.#solve(first, last);
      }
    }
  }

  /** Of the whole. */
  get cost(): number {
    return (this.#costs[(this.#n - 1) * STATES] as number) / this.#scale;
  }

  choice(first: number, last: number, holes: number): Choice {
    const range = first * this.#n + last;
    const choice = this.#choices[range * STATES + holes] as number;
    if (choice === EQUAL) {
      return { kind: 'equal', at: this.#heaviest[range * HOLES + holes] as number };
    }
    this.#placeHoles(range, holes);
    if (choice === LEAF) {
      return { kind: 'leaf', target: this.#targets[this.#firstLeft(first)] as number };
    }
    const leftHoles = this.#places.subarray(0, holes).filter((at) => at <= choice).length;
    return { kind: 'split', at: choice, leftHoles, rightHoles: holes - leftHoles };
  }

  /** The heaviest of a range are those of the range without its last, and perhaps the last. */
  #rank(first: number, last: number, lastIsSingle: boolean): void {
    const heaviest = this.#heaviest;
    const to = (first * this.#n + last) * HOLES;
    let count = 0;
    if (last > first) {
      const from = to - HOLES;
      while (count < HOLES && (heaviest[from + count] as number) >= 0) {
        heaviest[to + count] = heaviest[from + count] as number;
        count++;
      }
    }
    for (let t = count; t < HOLES; t++) heaviest[to + t] = -1;
    if (!lastIsSingle) return;
    const weight = this.#weights[last] as number;
    let at = count;
    while (at > 0 && (this.#weights[heaviest[to + at - 1] as number] as number) < weight) at--;
    for (let t = Math.min(count, HOLES - 1); t > at; t--) {
      heaviest[to + t] = heaviest[to + t - 1] as number;
    }
    if (at < HOLES) heaviest[to + at] = last;
  }

  #placeHoles(range: number, holes: number): void {
    const places = this.#places;
    for (let t = 0; t < holes; t++) {
      const place = this.#heaviest[range * HOLES + t] as number;
      let at = t;
      for (; at > 0 && (places[at - 1] as number) > place; at--) {
        places[at] = places[at - 1] as number;
      }
      places[at] = place;
    }
    places[holes] = -1;
  }

  #firstLeft(first: number): number {
    let at = first;
    for (let t = 0; this.#places[t] === at; t++) at++;
    return at;
  }

  #isLeaf(first: number, last: number): boolean {
    const targets = this.#targets;
    const places = this.#places;
    let hole = 0;
    let target = -1;
    for (let at = first; at <= last; at++) {
      if (places[hole] === at) hole++;
      else if (target === -1) target = targets[at] as number;
      else if (targets[at] !== target) return false;
    }
    return true;
  }

  #solve(first: number, last: number): void {
    const range = first * this.#n + last;
    const isShort = last - first < SHORT;
    let weight = (this.#sums[last + 1] as number) - (this.#sums[first] as number);
    const remaining = this.#remaining;
    remaining[0] = weight;
    let most = 0;
    while (most < HOLES && most < last - first) {
      const at = this.#heaviest[range * HOLES + most] as number;
      if (at < 0) break;
      const own = this.#weights[at] as number;
      if (!isShort && own < weight * QUARTER) break;
      weight -= own;
      remaining[++most] = weight;
    }
    for (let holes = most; holes >= 0; holes--) {
      this.#placeHoles(range, holes);
      const state = range * STATES + holes;
      const isLeaf =
        holes === 0 ? (this.#alikeUntil[first] as number) >= last : this.#isLeaf(first, last);
      if (isLeaf) {
        this.#choices[state] = LEAF;
        this.#costs[state] = 0;
      } else {
        const split = this.#bestSplit(first, last, holes, state, holes < most);
        this.#costs[state] = split + (remaining[holes] as number) + this.#perTest;
      }
    }
  }

  /** What the cheapest comparison leaves to be paid on its two sides. */
  #bestSplit(
    first: number,
    last: number,
    holes: number,
    state: number,
    mayCompare: boolean,
  ): number {
    const costs = this.#costs;
    const places = this.#places;
    const rowStep = this.#n * STATES;
    let best = mayCompare ? (costs[state + 1] as number) : Number.POSITIVE_INFINITY;
    let choice = EQUAL;
    let left = 0;
    let from = first;
    let to = last - 1;
    if (holes === 0 && last - first > NEAR) {
      const shorter = this.#choices[state - STATES] as number;
      const later = this.#choices[state + rowStep] as number;
      if (shorter >= 0 && later >= 0) {
        from = Math.max(first, Math.min(shorter, later) - SLACK);
        to = Math.min(last - 1, Math.max(shorter, later) + SLACK);
      }
    }
    let before = (first * this.#n + from) * STATES;
    let behind = ((from + 1) * this.#n + last) * STATES;
    for (let at = from; at <= to; at++, before += STATES, behind += rowStep) {
      if (places[left] === at) {
        left++;
        // A side of holes only has nothing to find.
        if (left === at - first + 1) continue;
      }
      if (holes - left === last - at) break;
      const cost = (costs[before + left] as number) + (costs[behind + holes - left] as number);
      if (cost < best) {
        best = cost;
        choice = at;
      }
    }
    this.#choices[state] = choice;
    return best;
  }
}
