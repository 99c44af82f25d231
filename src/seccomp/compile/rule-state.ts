import { assume, type Term, termKey, wordsOf } from './word-test.js';

/** What is left to decide of a syscall's rules when some words are known. */
export interface RuleState {
  /** The first one with a clause that holds decides; each clause has terms left. */
  readonly filters: readonly {
    readonly clauses: readonly (readonly Term[])[];
    readonly value: number;
  }[];
  /** What the program returns if none does. */
  readonly otherwise: number;
}

type Clauses = readonly (readonly Term[])[];

function withoutRepeats(clauses: Clauses): Clauses {
  const seen = new Set<string>();
  return clauses.filter((clause) => {
    const key = clause.map(termKey).sort().join('&');
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** A state in its normal form: without what cannot hold, and nothing behind what always does. */
export function ruleState(
  filters: readonly { readonly clauses: Clauses; readonly value: number }[],
  otherwise: number,
): RuleState {
  const kept: { clauses: Clauses; value: number }[] = [];
  let end = otherwise;
  for (const { clauses, value } of filters) {
    if (clauses.some((clause) => clause.length === 0)) {
      end = value;
      break;
    }
    const last = kept.at(-1);
    if (clauses.length === 0) continue;
    if (last?.value === value) last.clauses = [...last.clauses, ...clauses];
    else kept.push({ clauses, value });
  }
  while (kept.at(-1)?.value === end) kept.pop();
  return {
    filters: kept.map(({ clauses, value }) => ({ clauses: withoutRepeats(clauses), value })),
    otherwise: end,
  };
}

/** Each term replaced by what is known of it; a clause that cannot hold is dropped. */
export function mapTerms(state: RuleState, known: (term: Term) => Term | boolean): RuleState {
  return ruleState(
    state.filters.map(({ clauses, value }) => ({
      value,
      clauses: clauses.flatMap((clause) => {
        const left: Term[] = [];
        for (const term of clause) {
          const result = known(term);
          if (result === false) return [];
          if (result !== true) left.push(result);
        }
        return [left];
      }),
    })),
    state.otherwise,
  );
}

export function assumeWord(state: RuleState, word: number, value: number): RuleState {
  return mapTerms(state, (term) => assume(term, word, value));
}

export function termsOf(state: RuleState): Term[] {
  return state.filters.flatMap(({ clauses }) => clauses.flat());
}

/** In the order in which the rules name them. */
export function wordsLeft(state: RuleState): number[] {
  return [...new Set(termsOf(state).flatMap(wordsOf))];
}

/** Equal for states that decide the same in the same way. */
export function stateKey({ filters, otherwise }: RuleState): string {
  const rules = filters.map(
    ({ clauses, value }) =>
      `${clauses
        .map((clause) => clause.map(termKey).sort().join('&'))
        .sort()
        .join(' ')}>${value}`,
  );
  return `${rules.join(';')};${otherwise}`;
}

/** What the rules return for a syscall's data. */
export function resultOf(state: RuleState, words: ArrayLike<number>): number {
  let left = state;
  for (const word of wordsLeft(state)) left = assumeWord(left, word, words[word] ?? 0);
  return left.otherwise;
}
