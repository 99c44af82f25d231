import { atomHolds } from '../atom-holds.js';
import type { Atom, Clause } from '../policy.js';
import { ArgumentSet } from './argument-set.js';

/** More points than this are not tried for one clause. */
const POINT_LIMIT = 4096;

/** Whether no arguments fulfil a clause. */
export function isContradiction(clause: Clause, wordBits: 32 | 64): boolean {
  return argumentsOf([clause]).some((argument) => setOf(clause, argument, wordBits).isEmpty);
}

/** Whether what fulfils the first clause always fulfils the second. */
export function clauseImplies(first: Clause, second: Clause, wordBits: 32 | 64): boolean {
  return second.every((atom) => setOf(first, atom.argument, wordBits).implies(atom));
}

/** Whether what fulfils a clause always fulfils one of the others. */
export function isCovered(clause: Clause, others: readonly Clause[], wordBits: 32 | 64): boolean {
  if (others.some((other) => clauseImplies(clause, other, wordBits))) return true;
  return isCoveredTogether(clause, others, wordBits);
}

/**
 * Without masks the truth of a comparison changes at its constant only: trying the constants and their neighbours on all
 * arguments decides.
 */
function isCoveredTogether(clause: Clause, others: readonly Clause[], wordBits: 32 | 64): boolean {
  const all = [clause, ...others];
  if (others.length < 2 || all.flat().some(isMask)) return false;
  const used = argumentsOf(all);
  const points = used.map((argument) => turningPoints(all, argument, wordBits));
  const count = points.reduce((product, { length }) => product * length, 1);
  if (count > POINT_LIMIT) return false;
  for (let index = 0; index < count; index += 1) {
    const words = pointAt(used, points, index);
    if (clauseHolds(clause, words) && !others.some((other) => clauseHolds(other, words))) {
      return false;
    }
  }
  return true;
}

function isMask({ operator }: Atom): boolean {
  return operator === '&' || operator === 'in';
}

function turningPoints(
  clauses: readonly Clause[],
  argument: number,
  wordBits: 32 | 64,
): readonly bigint[] {
  const last = (1n << BigInt(wordBits)) - 1n;
  const points = new Set([0n, last]);
  for (const { argument: used, value } of clauses.flat()) {
    if (used !== argument) continue;
    for (const point of [value - 1n, value, value + 1n]) {
      if (point >= 0n && point <= last) points.add(point);
    }
  }
  return [...points];
}

/** One of all combinations of points, by its number. */
function pointAt(
  used: readonly number[],
  points: readonly (readonly bigint[])[],
  index: number,
): ReadonlyMap<number, bigint> {
  const words = new Map<number, bigint>();
  let rest = index;
  used.forEach((argument, position) => {
    const choices = points[position] ?? [];
    words.set(argument, choices[rest % choices.length] ?? 0n);
    rest = Math.floor(rest / choices.length);
  });
  return words;
}

function clauseHolds(clause: Clause, words: ReadonlyMap<number, bigint>): boolean {
  return clause.every((atom) => atomHolds(atom, words.get(atom.argument) ?? 0n));
}

function argumentsOf(clauses: readonly Clause[]): readonly number[] {
  return [...new Set(clauses.flat().map(({ argument }) => argument))];
}

function setOf(clause: Clause, argument: number, wordBits: 32 | 64): ArgumentSet {
  return new ArgumentSet(
    wordBits,
    clause.filter((atom) => atom.argument === argument),
  );
}
