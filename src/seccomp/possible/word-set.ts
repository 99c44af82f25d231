import type { Operator } from '../policy.js';

/** One comparison of one word, which holds or does not. */
export interface Literal {
  readonly operator: Operator;
  readonly value: bigint;
  readonly holds: boolean;
}

/**
 * The machine words that satisfy a list of comparisons: an interval, without some words, with some bits clear, and with
 * a bit of each of some masks set. Every operator of a policy, and its contrary, is one of these.
 */
export class WordSet {
  readonly #wordBits: number;
  readonly #low: bigint;
  readonly #high: bigint;
  readonly #without: ReadonlySet<bigint>;
  readonly #clear: bigint;
  readonly #anyOf: readonly bigint[];

  private constructor(
    wordBits: number,
    low: bigint,
    high: bigint,
    without: ReadonlySet<bigint>,
    clear: bigint,
    anyOf: readonly bigint[],
  ) {
    this.#wordBits = wordBits;
    this.#low = low;
    this.#high = high;
    this.#without = without;
    this.#clear = clear;
    this.#anyOf = anyOf;
  }

  /** Every word. */
  static all(wordBits: 32 | 64): WordSet {
    return new WordSet(wordBits, 0n, (1n << BigInt(wordBits)) - 1n, new Set(), 0n, []);
  }

  /** Those of them that also satisfy this. */
  and({ operator, value, holds }: Literal): WordSet {
    const all = (1n << BigInt(this.#wordBits)) - 1n;
    switch (operator) {
      case '==':
        return holds ? this.#within(value, value) : this.#except(value);
      case '!=':
        return holds ? this.#except(value) : this.#within(value, value);
      case '<':
        return holds ? this.#within(0n, value - 1n) : this.#within(value, all);
      case '<=':
        return holds ? this.#within(0n, value) : this.#within(value + 1n, all);
      case '>':
        return holds ? this.#within(value + 1n, all) : this.#within(0n, value);
      case '>=':
        return holds ? this.#within(value, all) : this.#within(0n, value - 1n);
      case '&':
        return holds ? this.#withAny(value) : this.#withClear(value);
      case 'in':
        return holds ? this.#withClear(all & ~value) : this.#withAny(all & ~value);
    }
  }

  /** One of its words; undefined if it has none. */
  witness(): bigint | undefined {
    for (const word of this.#words(BigInt(this.#wordBits), 0n, true, true)) {
      // Each of the words that are excluded comes at most once.
      if (!this.#without.has(word)) return word;
    }
    return undefined;
  }

  #with(change: {
    low?: bigint;
    high?: bigint;
    without?: ReadonlySet<bigint>;
    clear?: bigint;
    anyOf?: readonly bigint[];
  }): WordSet {
    return new WordSet(
      this.#wordBits,
      change.low ?? this.#low,
      change.high ?? this.#high,
      change.without ?? this.#without,
      change.clear ?? this.#clear,
      change.anyOf ?? this.#anyOf,
    );
  }

  #within(low: bigint, high: bigint): WordSet {
    return this.#with({
      low: low > this.#low ? low : this.#low,
      high: high < this.#high ? high : this.#high,
    });
  }

  #except(value: bigint): WordSet {
    // At a bound the interval takes it: lists of consecutive values stay short.
    if (value === this.#low) return this.#with({ low: value + 1n });
    if (value === this.#high) return this.#with({ high: value - 1n });
    return this.#with({ without: new Set([...this.#without, value]) });
  }

  #withClear(mask: bigint): WordSet {
    return this.#with({ clear: this.#clear | mask });
  }

  #withAny(mask: bigint): WordSet {
    return this.#with({ anyOf: [...this.#anyOf, mask] });
  }

  /**
   * Its words without regard to those that are excluded, from the bits above `bits`, which are chosen, to the lowest.
   * While the prefix is the bound's own, the next bit is bound; where it is not, what is left can be anything, and setting
   * every bit that may be set decides at once whether all masks can be met: so there are no dead ends but along the bounds.
   */
  *#words(bits: bigint, chosen: bigint, atLow: boolean, atHigh: boolean): Generator<bigint> {
    if (this.#low > this.#high) return;
    const most = chosen | (((1n << bits) - 1n) & ~this.#clear);
    if (!this.#anyOf.every((mask) => (most & mask) !== 0n)) return;
    if (bits === 0n) {
      yield chosen;
      return;
    }
    const bit = 1n << (bits - 1n);
    const lowBit = atLow && (this.#low & bit) !== 0n;
    const boundIsSet = (this.#high & bit) !== 0n;
    if (!lowBit) yield* this.#words(bits - 1n, chosen, atLow, atHigh && !boundIsSet);
    if ((!atHigh || boundIsSet) && (this.#clear & bit) === 0n) {
      yield* this.#words(bits - 1n, chosen | bit, lowBit, atHigh);
    }
  }
}
