import type { Atom } from './policy.js';

/** Whether a comparison holds for an unsigned machine word. */
export function atomHolds(
  { operator, value }: Pick<Atom, 'operator' | 'value'>,
  word: bigint,
): boolean {
  switch (operator) {
    case '==':
      return word === value;
    case '!=':
      return word !== value;
    case '<':
      return word < value;
    case '<=':
      return word <= value;
    case '>':
      return word > value;
    case '>=':
      return word >= value;
    case '&':
      return (word & value) !== 0n;
    case 'in':
      return (word & ~value) === 0n;
  }
}
