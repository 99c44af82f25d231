import {
  assumeWord,
  mapTerms,
  type RuleState,
  stateKey,
  termsOf,
  wordsLeft,
} from '../compile/rule-state.js';
import {
  assumeInterval,
  assumeMask,
  boundaries,
  LAST_VALUE,
  masks,
} from '../compile/word-classes.js';
import { SearchLimitError, solveWord, type WordConstraint } from './word-solver.js';

/** Values of a word that are treated alike, and one of them. */
export interface WordSet {
  readonly word: number;
  /** Each a part of the set; together they are all of it. */
  readonly parts: readonly WordConstraint[];
  readonly example: number;
}

/** Data for which two states return different values: a set for each word that matters. */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly sets: readonly WordSet[];
}

export interface PairResult {
  /** At least one region for each pair of values that differ. */
  readonly regions: readonly Region[];
  /** Whether the regions are all there are. */
  readonly isComplete: boolean;
}

interface Pair {
  readonly a: RuleState;
  readonly b: RuleState;
}

interface Group extends Pair {
  readonly parts: WordConstraint[];
  readonly example: number;
}

/** More regions than this are not listed. */
const MAX_REGIONS = 64;

const MAX_STEPS = 200_000;

/** Compares two states for every data, word by word. */
export class PairWalk {
  readonly #known = new Map<string, PairResult>();
  #steps = 0;

  /** @throws {SearchLimitError} if it takes too long to be sure */
  compare({ a, b }: Pair): PairResult {
    this.#spend();
    const keys = [stateKey(a), stateKey(b)] as const;
    if (keys[0] === keys[1]) return { regions: [], isComplete: true };
    const words = [...wordsLeft(a), ...wordsLeft(b)];
    const [word] = words;
    if (word === undefined) {
      const region = { from: a.otherwise, to: b.otherwise, sets: [] };
      return { regions: [region], isComplete: true };
    }
    const key = keys.join(' # ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const result = this.#onWord({ a, b }, word);
    this.#known.set(key, result);
    return result;
  }

  #spend(): void {
    if (++this.#steps > MAX_STEPS) throw new SearchLimitError('too many cases');
  }

  #onWord(pair: Pair, word: number): PairResult {
    const regions: Region[] = [];
    let isComplete = true;
    for (const { parts, example, a, b } of this.#groups(pair, word)) {
      const below = this.compare({ a, b });
      isComplete &&= below.isComplete;
      const set = { word, parts, example };
      for (const region of below.regions) {
        regions.push({ ...region, sets: [set, ...region.sets] });
      }
    }
    return MAX_REGIONS < regions.length ? this.#shorten(regions) : { regions, isComplete };
  }

  #shorten(regions: readonly Region[]): PairResult {
    const seen = new Set<string>();
    const kept = regions.filter(({ from, to }, index) => {
      const isNew = !seen.has(`${from} ${to}`);
      seen.add(`${from} ${to}`);
      return isNew || index < MAX_REGIONS;
    });
    return { regions: kept, isComplete: false };
  }

  /** The word's values, together where they leave the same to be decided. */
  #groups({ a, b }: Pair, word: number): Iterable<Group> {
    const terms = [...termsOf(a), ...termsOf(b)];
    const lows = [0, ...boundaries(terms, word)];
    const bits = masks(terms, word);
    const groups = new Map<string, Group>();
    const add = (left: Pair, part: WordConstraint, example: number) => {
      const key = `${stateKey(left.a)} # ${stateKey(left.b)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { ...left, parts: [part], example });
      else group.parts.push(part);
    };
    const split = (left: Pair, part: WordConstraint, masksLeft: readonly number[]) => {
      const example = solveWord(part, () => this.#spend());
      if (example === undefined) return;
      const [mask, ...others] = masksLeft;
      if (mask === undefined) return add(left, part, example);
      // Terms have forgotten the bits that are known to be 0: what is left of the mask decides them.
      const open = (mask & ~part.clear) >>> 0;
      for (const set of [true, false]) {
        const known = (state: RuleState) =>
          mapTerms(state, (term) => assumeMask(term, word, open, set));
        const narrowed = set
          ? { ...part, anyOf: [...part.anyOf, mask] }
          : { ...part, clear: (part.clear | mask) >>> 0 };
        split({ a: known(left.a), b: known(left.b) }, narrowed, others);
      }
    };
    lows.forEach((low, index) => {
      this.#spend();
      const high = (lows[index + 1] ?? LAST_VALUE + 1) - 1;
      const part = { low, high, clear: 0, anyOf: [] };
      const known = (state: RuleState) =>
        low === high
          ? assumeWord(state, word, low)
          : mapTerms(state, (term) => assumeInterval(term, word, low));
      split({ a: known(a), b: known(b) }, part, low === high ? [] : bits);
    });
    return groups.values();
  }
}
