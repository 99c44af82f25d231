import {
  assume,
  holds,
  isPair,
  mapTests,
  type Term,
  testsOf,
  type WordTest,
  wordTest,
} from './word-test.js';

export const LAST_VALUE = 0xffffffff;

function isMask({ kind }: WordTest): boolean {
  return kind === 'set' || kind === 'clear';
}

/** Where the result of a comparison of `word` changes, in order: the first value of each interval but that of 0. */
export function boundaries(terms: readonly Term[], word: number): number[] {
  const found = new Set<number>();
  for (const term of terms) {
    if (isPair(term) && term.kind !== 'either') {
      if (term.word + 1 === word) found.add(term.high).add(term.high + 1);
      else if (term.word === word) found.add(term.low + 1);
    }
    for (const test of testsOf(term)) {
      if (test.word !== word || isMask(test)) continue;
      if (test.kind === 'eq' || test.kind === 'ne') found.add(test.k);
      found.add(test.k + 1);
    }
  }
  return [...found].filter((value) => value > 0 && value <= LAST_VALUE).sort((a, b) => a - b);
}

/** The bits that terms look for in `word`. */
export function masks(terms: readonly Term[], word: number): number[] {
  const tests = terms.flatMap(testsOf).filter((test) => test.word === word && isMask(test));
  return [...new Set(tests.map(({ k }) => k))];
}

/** What is left of a term if it is known whether a bit of `mask` is set in `word`. */
export function assumeMask(term: Term, word: number, mask: number, set: boolean): Term | boolean {
  return mapTests(term, (test) => {
    const { kind, k } = test;
    if (test.word !== word || kind === 'gt' || kind === 'le') return test;
    if (kind === 'eq' || kind === 'ne') {
      return ((k & mask) !== 0) === set ? test : kind === 'ne';
    }
    // All of the mask's bits are looked for, so that one of them is set.
    if (set) return (mask & ~k) === 0 ? kind === 'set' : test;
    return wordTest(kind, word, (k & ~mask) >>> 0);
  });
}

/** What is left of a term whose `word` is in an interval that no comparison divides and that begins at `low`. */
export function assumeInterval(term: Term, word: number, low: number): Term | boolean {
  if (isPair(term) && term.kind !== 'either') return assume(term, word, low);
  return mapTests(term, (test) => (test.word !== word || isMask(test) ? test : holds(test, low)));
}
