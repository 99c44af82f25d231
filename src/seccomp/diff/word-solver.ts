/** What is asked of a 32-bit word: a range, bits that are 0, and masks of which each has a bit that is 1. */
export interface WordConstraint {
  readonly low: number;
  readonly high: number;
  readonly clear: number;
  readonly anyOf: readonly number[];
}

/** The search was given up. */
export class SearchLimitError extends Error {}

/** The smallest value from `low` on with all bits of `ones` and none of `zeros`; undefined if it is beyond 32 bits. */
function smallestFrom(low: number, ones: number, zeros: number): number | undefined {
  if ((ones & zeros) !== 0) return undefined;
  if ((low & zeros) === 0 && (ones & ~low) === 0) return low;
  // It agrees with `low` above some bit, is 1 there where `low` is 0, and as small as can be below.
  for (let bit = 0; bit < 32; bit++) {
    const place = (1 << bit) >>> 0;
    if ((low & place) !== 0 || (zeros & place) !== 0) continue;
    const above = bit === 31 ? 0 : (-1 << (bit + 1)) >>> 0;
    const prefix = (low & above) >>> 0;
    if ((prefix & zeros) !== 0 || (ones & above & ~prefix) !== 0) continue;
    return (prefix | place | (ones & (place - 1))) >>> 0;
  }
  return undefined;
}

/**
 * A value that meets a constraint, undefined if there is none.
 * @param spend called for each step; it may throw to give up
 */
export function solveWord(constraint: WordConstraint, spend: () => void): number | undefined {
  const { low, high, clear, anyOf } = constraint;
  const search = (ones: number, left: readonly number[]): number | undefined => {
    spend();
    const smallest = smallestFrom(low, ones, clear);
    if (smallest === undefined || smallest > high) return undefined;
    const mask = left.find((each) => (each & smallest) === 0);
    if (mask === undefined) return smallest;
    const others = left.filter((each) => each !== mask);
    for (let bit = 0; bit < 32; bit++) {
      const place = (1 << bit) >>> 0;
      if ((mask & place & ~clear) === 0) continue;
      const found = search((ones | place) >>> 0, others);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(0, anyOf);
}
