import { DATA_WORDS } from '../seccomp-data.js';
import { actionOf } from '../verdict.js';
import { type RuleState, resultOf } from './rule-state.js';
import { isPair, type Term, type WordTest } from './word-test.js';

/** A syscall's data as it might come, and how often. */
export interface Sample {
  readonly words: Uint32Array;
  readonly weight: number;
}

export function weightOf(samples: readonly Sample[]): number {
  return samples.reduce((sum, { weight }) => sum + weight, 0);
}

/** A refused call is one of a program that is about to be killed; a bit more than nothing keeps its path short too. */
const REFUSED = 1 / 64;

/** Clauses of which each sample is judged by all, which takes the square of their number. */
const MAX_CHECKED = 100;

const ALLOWED: ReadonlySet<string> = new Set(['allow', 'log', 'trace', 'user-notify']);

export function isAllowed(value: number): boolean {
  return ALLOWED.has(actionOf(value).kind);
}

function makeTestHold(words: Uint32Array, { kind, word, k }: WordTest): void {
  const value = words[word] ?? 0;
  switch (kind) {
    case 'eq':
      words[word] = k;
      break;
    case 'ne':
      if (value === k) words[word] = k ^ 1;
      break;
    case 'gt':
      if (value <= k) words[word] = k + 1;
      break;
    case 'le':
      if (value > k) words[word] = k;
      break;
    case 'set':
      if ((value & k) === 0) words[word] = value | (k & -k);
      break;
    case 'clear':
      words[word] = value & ~k;
      break;
  }
}

function makeHold(words: Uint32Array, term: Term): void {
  if (!isPair(term)) makeTestHold(words, term);
  else if (term.kind === 'either') makeTestHold(words, term.low);
  else {
    words[term.word + 1] = term.high;
    if (term.kind === 'not-above') words[term.word] = term.low;
    else if (term.low !== 0xffffffff) words[term.word] = term.low + 1;
    else words[term.word + 1] = term.high + 1;
  }
}

/** Words that make all of a clause's terms hold, if that can be had term by term. */
export function wordsFor(clause: readonly Term[]): Uint32Array {
  const words = new Uint32Array(DATA_WORDS);
  for (const term of clause) makeHold(words, term);
  return words;
}

/**
 * What a syscall's arguments are expected to be: every clause is taken as often as the others. (A frequency file counts
 * syscalls, not clauses.) The weights add up to about `frequency`.
 */
export function samplesOf(state: RuleState, frequency: number): Sample[] {
  // What matches no clause, as a rule: nothing is set, or an odd pointer.
  const others = [new Uint32Array(DATA_WORDS), new Uint32Array(DATA_WORDS).fill(0x5a5a5a5b)];
  const clauses = state.filters.flatMap(({ clauses: all, value }) =>
    all.map((clause) => ({ sample: wordsFor(clause), value })),
  );
  const isLong = clauses.length > MAX_CHECKED;
  const known = [
    // An earlier clause may hold as well; in a long list of values none does.
    ...clauses.map(({ sample, value }) => ({
      sample,
      value: isLong ? value : resultOf(state, sample),
    })),
    ...others.map((sample) => ({ sample, value: resultOf(state, sample) })),
  ];
  const count = known.filter(({ value }) => isAllowed(value)).length;
  return known.map(({ sample, value }) => ({
    words: sample,
    weight: (frequency * (isAllowed(value) ? 1 : REFUSED)) / Math.max(1, count),
  }));
}
