import type { Atom, Clause, Policy } from '../../src/seccomp/policy.js';
import { returnValueOf, sameAction } from '../../src/seccomp/verdict.js';

/** `enum scmp_compare`. */
const COMPARISONS = { '!=': 1, '<': 2, '<=': 3, '==': 4, '>=': 5, '>': 6 } as const;
const MASKED_EQUAL = 7;

/** `struct scmp_arg_cmp`: argument, comparison and its two operands, in decimal, since JSON has no 64 bits. */
export type ArgumentRule = readonly [number, number, string, string];

export interface LibseccompRule {
  /** All names that our tables have for the number: not each is known there. */
  readonly names: readonly string[];
  readonly number: number;
  readonly action: number;
  readonly args: readonly ArgumentRule[];
}

/** Why a policy has no rules there. */
export class InexpressibleError extends Error {}

/** The ways in which an atom holds: `&` of several bits is one way for each of them. */
function waysOf({ argument, operator, value }: Atom, wordBits: number): ArgumentRule[] {
  const masked = (mask: bigint, datum: bigint): ArgumentRule => [
    argument,
    MASKED_EQUAL,
    `${mask}`,
    `${datum}`,
  ];
  if (operator === 'in') return [masked(BigInt.asUintN(wordBits, ~value), 0n)];
  if (operator !== '&') return [[argument, COMPARISONS[operator], `${value}`, '0']];
  const bits = Array.from({ length: wordBits }, (_, bit) => 1n << BigInt(bit));
  return bits.filter((bit) => (value & bit) !== 0n).map((bit) => masked(bit, bit));
}

function argumentRules(name: string, clause: Clause, wordBits: number): ArgumentRule[][] {
  if (new Set(clause.map(({ argument }) => argument)).size < clause.length) {
    throw new InexpressibleError(`${name}: two comparisons of one argument`);
  }
  return clause.reduce<ArgumentRule[][]>(
    (rules, atom) => rules.flatMap((rule) => waysOf(atom, wordBits).map((way) => [...rule, way])),
    [[]],
  );
}

/**
 * A policy in libseccomp's rules, of which none is in front of another.
 * @throws InexpressibleError
 */
export function libseccompRules(policy: Policy): LibseccompRule[] {
  const { syscalls, wordBits } = policy.architecture;
  const names = new Map<number, string[]>();
  for (const [name, number] of syscalls) {
    names.set(number, [...(names.get(number) ?? []), name]);
  }
  const rules = new Map<string, LibseccompRule>();
  for (const { number, name, filters, otherwise } of policy.syscalls.values()) {
    const last = { clauses: [], action: otherwise };
    for (const { clauses, action } of [...filters, last]) {
      // It takes no rule that does what is done without.
      if (sameAction(action, policy.defaultAction)) {
        if (clauses.length === 0) break;
        throw new InexpressibleError(`${name}: an exception that does what the default does`);
      }
      const ways =
        clauses.length === 0
          ? [[]]
          : clauses.flatMap((clause) => argumentRules(name, clause, wordBits));
      for (const args of ways) {
        const rule = {
          names: names.get(number) ?? [name],
          number,
          action: returnValueOf(action),
          args,
        };
        // The same rule twice is an error there.
        rules.set(JSON.stringify(rule), rule);
      }
      if (clauses.length === 0) break;
    }
  }
  return [...rules.values()];
}

/** Priorities from 255 down, in the order of the frequencies. */
export function prioritiesOf({ frequencies }: Policy): Map<number, number> {
  const sorted = [...frequencies].sort(([, a], [, b]) => b - a);
  return new Map(sorted.map(([number], rank) => [number, Math.max(0, 255 - rank)]));
}
