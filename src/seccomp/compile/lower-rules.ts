import type { SyscallRules } from '../policy.js';
import { returnValueOf } from '../verdict.js';
import { type RuleState, ruleState } from './rule-state.js';
import { lowerAtom, type Term } from './word-test.js';

/** A syscall's rules in comparisons of words. */
export function lowerRules({ filters, otherwise }: SyscallRules, wordBits: 32 | 64): RuleState {
  return ruleState(
    filters.map(({ clauses, action }) => ({
      value: returnValueOf(action),
      clauses:
        clauses.length === 0
          ? [[]]
          : clauses.flatMap((clause) => {
              const terms: Term[] = [];
              for (const atom of clause) {
                const lowered = lowerAtom(atom, wordBits);
                if (lowered === false) return [];
                terms.push(...lowered);
              }
              return [terms];
            }),
    })),
    returnValueOf(otherwise),
  );
}
