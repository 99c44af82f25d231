import type { Atom } from '../policy.js';
import { argumentWord } from '../seccomp-data.js';

/**
 * A comparison of one word of the data with a constant: `gt` and `le` unsigned, `set`: any of the bits is set, `clear`:
 * none is.
 */
export interface WordTest {
  readonly kind: 'eq' | 'ne' | 'gt' | 'le' | 'set' | 'clear';
  readonly word: number;
  readonly k: number;
}

/**
 * What an atom of 64 bits is while neither half is known: one of two comparisons, or the comparison of a number with
 * `high` and `low`.
 */
export type Pair =
  | { readonly kind: 'either'; readonly high: WordTest; readonly low: WordTest }
  | {
      readonly kind: 'above' | 'not-above';
      /** Of the low half. */
      readonly word: number;
      readonly high: number;
      readonly low: number;
    };

export type Term = WordTest | Pair;

const ALL_ONES = 0xffffffff;

export function isPair(term: Term): term is Pair {
  return term.kind === 'either' || term.kind === 'above' || term.kind === 'not-above';
}

export function holds({ kind, k }: WordTest, value: number): boolean {
  switch (kind) {
    case 'eq':
      return value === k;
    case 'ne':
      return value !== k;
    case 'gt':
      return value > k;
    case 'le':
      return value <= k;
    case 'set':
      return (value & k) !== 0;
    case 'clear':
      return (value & k) === 0;
  }
}

/** A comparison in its simplest form, or its result if it has the same for every value. */
export function wordTest(kind: WordTest['kind'], word: number, k: number): WordTest | boolean {
  if (kind === 'set' || kind === 'clear') {
    if (k === 0) return kind === 'clear';
    if (k === ALL_ONES) return { kind: kind === 'set' ? 'ne' : 'eq', word, k: 0 };
  }
  if (kind === 'gt' || kind === 'le') {
    if (k >= ALL_ONES) return kind === 'le';
    if (k < 0) return kind === 'gt';
    if (k === 0) return { kind: kind === 'gt' ? 'ne' : 'eq', word, k: 0 };
    if (k === ALL_ONES - 1) return { kind: kind === 'gt' ? 'eq' : 'ne', word, k: ALL_ONES };
  }
  return { kind, word, k };
}

/** All of the parts must hold; false if they cannot. */
function all(parts: readonly (WordTest | boolean)[]): Term[] | false {
  if (parts.includes(false)) return false;
  return parts.filter((part) => typeof part !== 'boolean');
}

function either(high: WordTest | boolean, low: WordTest | boolean): Term[] | false {
  if (high === true || low === true) return [];
  if (high === false) return low === false ? false : [low];
  return low === false ? [high] : [{ kind: 'either', high, low }];
}

function compare64(kind: 'above' | 'not-above', word: number, value: bigint): Term[] | false {
  const above = kind === 'above';
  if (value < 0n) return above ? [] : false;
  if (value >= 0xffffffff_ffffffffn) return above ? false : [];
  const high = Number(value >> 32n);
  const low = Number(value & 0xffffffffn);
  // No low half is above this one, so that only the high half counts.
  if (low === ALL_ONES) return all([wordTest(above ? 'gt' : 'le', word + 1, high)]);
  return [{ kind, word, high, low }];
}

function lower32(operator: Atom['operator'], word: number, value: number): WordTest | boolean {
  switch (operator) {
    case '==':
      return wordTest('eq', word, value);
    case '!=':
      return wordTest('ne', word, value);
    case '>':
      return wordTest('gt', word, value);
    case '<=':
      return wordTest('le', word, value);
    case '>=':
      return wordTest('gt', word, value - 1);
    case '<':
      return wordTest('le', word, value - 1);
    case '&':
      return wordTest('set', word, value);
    case 'in':
      return wordTest('clear', word, ~value >>> 0);
  }
}

/** An atom as terms that must all hold, none if it always does; false if it never does. */
export function lowerAtom({ argument, operator, value }: Atom, wordBits: 32 | 64): Term[] | false {
  const word = argumentWord(argument);
  const low = Number(value & 0xffffffffn);
  if (wordBits === 32) return all([lower32(operator, word, low)]);
  const high = Number((value >> 32n) & 0xffffffffn);
  switch (operator) {
    case '==':
    case 'in':
      return all([lower32(operator, word + 1, high), lower32(operator, word, low)]);
    case '!=':
    case '&':
      return either(lower32(operator, word + 1, high), lower32(operator, word, low));
    case '>':
      return compare64('above', word, value);
    case '>=':
      return compare64('above', word, value - 1n);
    case '<=':
      return compare64('not-above', word, value);
    case '<':
      return compare64('not-above', word, value - 1n);
  }
}

/** Each comparison in a term replaced by what is known of it; halves of a number are left alone. */
export function mapTests(
  term: Term,
  known: (test: WordTest) => WordTest | boolean,
): Term | boolean {
  if (!isPair(term)) return known(term);
  if (term.kind !== 'either') return term;
  const high = known(term.high);
  const low = known(term.low);
  if (high === true || low === true) return true;
  if (high === false) return low;
  return low === false ? high : { kind: 'either', high, low };
}

/** The comparisons of single words in a term. */
export function testsOf(term: Term): readonly WordTest[] {
  if (!isPair(term)) return [term];
  return term.kind === 'either' ? [term.high, term.low] : [];
}

/** What is left of a term of which one word is known. */
export function assume(term: Term, word: number, value: number): Term | boolean {
  if (!isPair(term) || term.kind === 'either') {
    return mapTests(term, (test) => (test.word === word ? holds(test, value) : test));
  }
  const above = term.kind === 'above';
  if (term.word + 1 === word) {
    if (value !== term.high) return value > term.high === above;
    return wordTest(above ? 'gt' : 'le', term.word, term.low);
  }
  if (term.word !== word) return term;
  // The low half alone decides whether equal high halves are above; so the high one is compared with `>=` or `>`.
  const high = value > term.low ? term.high - 1 : term.high;
  return wordTest(above ? 'gt' : 'le', term.word + 1, high);
}

export function wordsOf(term: Term): readonly number[] {
  if (!isPair(term)) return [term.word];
  return term.kind === 'either' ? [term.high.word, term.low.word] : [term.word + 1, term.word];
}

export function termKey(term: Term): string {
  if (!isPair(term)) return `${term.kind}${term.word}:${term.k}`;
  if (term.kind === 'either') return `${termKey(term.high)}|${termKey(term.low)}`;
  return `${term.kind}${term.word}:${term.high}:${term.low}`;
}
