import { atomHolds } from '../atom-holds.js';
import type { Atom } from '../policy.js';

/** Sets with so many values at most are tried value by value. */
const ENUMERATION_LIMIT = 256;

/**
 * What a conjunction of comparisons leaves of one argument's values. Its answers are never wrong: a set said to be empty
 * is, and a comparison said to be implied holds for all of its values. It may miss some.
 */
export class ArgumentSet {
  readonly #mask: bigint;
  #low = 0n;
  #high: bigint;
  /** Bits that no value has. */
  #zeros = 0n;
  readonly #atoms: Atom[] = [];

  constructor(wordBits: 32 | 64, atoms: readonly Atom[]) {
    this.#mask = (1n << BigInt(wordBits)) - 1n;
    this.#high = this.#mask;
    for (const atom of atoms) this.#restrict(atom);
  }

  get isEmpty(): boolean {
    const values = this.#values();
    if (values !== undefined) return values.length === 0;
    return this.#atoms.some(
      ({ operator, value }) => operator === '&' && (value & ~this.#zeros & this.#mask) === 0n,
    );
  }

  /** Whether all values fulfil the comparison. */
  implies(atom: Atom): boolean {
    const values = this.#values();
    if (values !== undefined) return values.every((value) => atomHolds(atom, value));
    const { operator, value } = atom;
    switch (operator) {
      case '==':
        return false;
      case '!=':
        return !this.#mayHave(value);
      case '<':
        return this.#high < value;
      case '<=':
        return this.#high <= value;
      case '>':
        return this.#low > value;
      case '>=':
        return this.#low >= value;
      case 'in':
        return (this.#possibleBits() & ~value) === 0n;
      case '&':
        return (this.#commonBits() & value) !== 0n || this.#hasBitOf(value);
    }
  }

  #restrict(atom: Atom): void {
    const { operator, value } = atom;
    this.#atoms.push(atom);
    if (operator === '==') {
      this.#low = max(this.#low, value);
      this.#high = min(this.#high, value);
    } else if (operator === '<') this.#high = min(this.#high, value - 1n);
    else if (operator === '<=') this.#high = min(this.#high, value);
    else if (operator === '>') this.#low = max(this.#low, value + 1n);
    else if (operator === '>=') this.#low = max(this.#low, value);
    else if (operator === 'in') {
      this.#zeros |= this.#mask & ~value;
      this.#high = min(this.#high, value);
    } else if (operator === '&') this.#low = max(this.#low, value & -value);
  }

  /** All values, if they are few. */
  #values(): readonly bigint[] | undefined {
    if (this.#high < this.#low) return [];
    const candidates =
      this.#high - this.#low < ENUMERATION_LIMIT ? this.#interval() : this.#subsets();
    return candidates?.filter((value) => this.#has(value));
  }

  #interval(): readonly bigint[] {
    const values: bigint[] = [];
    for (let value = this.#low; value <= this.#high; value += 1n) values.push(value);
    return values;
  }

  /** All combinations of the bits that values may have. */
  #subsets(): readonly bigint[] | undefined {
    const bits = this.#mask & ~this.#zeros;
    const values: bigint[] = [];
    for (let subset = bits; values.length < ENUMERATION_LIMIT; subset = (subset - 1n) & bits) {
      values.push(subset);
      if (subset === 0n) return values;
    }
    return undefined;
  }

  #has(value: bigint): boolean {
    return this.#atoms.every((atom) => atomHolds(atom, value));
  }

  #mayHave(value: bigint): boolean {
    return value <= this.#mask && this.#has(value);
  }

  #possibleBits(): bigint {
    return ~this.#zeros & fill(this.#high);
  }

  /** Bits that all values have, because the bounds agree in all bits down to them. */
  #commonBits(): bigint {
    return this.#low & ~fill(this.#low ^ this.#high);
  }

  /** Whether one of the restrictions asks for a bit, all of whose choices are in the mask. */
  #hasBitOf(mask: bigint): boolean {
    return this.#atoms.some(
      ({ operator, value }) => operator === '&' && (value & ~this.#zeros & ~mask) === 0n,
    );
  }
}

/** All bits up to the highest one of a value. */
function fill(value: bigint): bigint {
  return (1n << BigInt(value === 0n ? 0 : value.toString(2).length)) - 1n;
}

function min(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
