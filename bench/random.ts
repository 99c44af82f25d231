/** A small seeded generator (xorshift32, Marsaglia 2003): the same workload on every machine, at a few ns a number. */
export class Random {
  #state: number;

  /** @param seed any integer but 0. */
  constructor(seed: number) {
    this.#state = seed | 0;
    if (this.#state === 0) throw new RangeError('xorshift stays at 0 for ever; give another seed');
  }

  /** A whole number from 0 to `below` - 1; `below` is at most 2^20, so that the bias does not matter. */
  below(below: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 8) % below;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
}
