import { checkArguments } from './compile/check-arguments.js';
import type { Action, Atom, Clause, Filter, Operator, Policy, SyscallRules } from './policy.js';
import { ARCH_WORD, argumentWord, NUMBER_WORD, type SeccompData } from './seccomp-data.js';
import { foreignActionOf } from './verdict.js';

/** Why a clause does not hold: its first atom that does not. */
export interface FailedClause {
  readonly filter: Filter;
  readonly clause: Clause;
  readonly atom: Atom;
}

/** What a policy says of one syscall, and where it says it. */
export interface Judgement {
  readonly action: Action;
  /** What decided: a filter, the end of the rules, the default for syscalls without rules, or the architecture. */
  readonly by: 'filter' | 'otherwise' | 'default' | 'foreign-architecture';
  readonly rules?: SyscallRules;
  /** Of `by: 'filter'`. */
  readonly filter?: Filter;
  /** The clause that held, if the filter has any. */
  readonly clause?: Clause;
  /** Of the filters that were passed over, in order. */
  readonly failed: readonly FailedClause[];
}

interface ReadyAtom {
  readonly atom: Atom;
  readonly operator: Operator;
  readonly word: number;
  readonly high: number;
  readonly low: number;
}

interface ReadyFilter {
  readonly filter: Filter;
  readonly clauses: readonly { readonly clause: Clause; readonly atoms: readonly ReadyAtom[] }[];
}

interface ReadyRules {
  readonly rules: SyscallRules;
  readonly filters: readonly ReadyFilter[];
}

function ready(rules: SyscallRules): ReadyRules {
  const filters = rules.filters.map((filter) => ({
    filter,
    clauses: filter.clauses.map((clause) => ({
      clause,
      atoms: clause.map((atom) => ({
        atom,
        operator: atom.operator,
        word: argumentWord(atom.argument),
        high: Number((atom.value >> 32n) & 0xffffffffn),
        low: Number(atom.value & 0xffffffffn),
      })),
    })),
  }));
  return { rules, filters };
}

/** Judges syscalls by the policy itself, without a program. Meant to be kept: what it needs of the policy it computes once. */
export class PolicyEvaluator {
  readonly #rules = new Map<number, ReadyRules>();
  readonly #policy: Policy;
  readonly #wide: boolean;

  /** @throws {CompileError} `ARGUMENT_NOT_LOADABLE`: such a policy never comes into force */
  constructor(policy: Policy) {
    checkArguments(policy);
    this.#policy = policy;
    this.#wide = policy.architecture.wordBits === 64;
    for (const [number, rules] of policy.syscalls) this.#rules.set(number, ready(rules));
  }

  actionOf(data: SeccompData): Action {
    if (data[ARCH_WORD] !== this.#policy.architecture.auditArch)
      return foreignActionOf(this.#policy);
    const found = this.#rules.get(data[NUMBER_WORD] as number);
    if (found === undefined) return this.#policy.defaultAction;
    for (const { filter, clauses } of found.filters) {
      if (clauses.length === 0) return filter.action;
      for (const { atoms } of clauses) {
        if (this.#firstFailed(atoms, data) === undefined) return filter.action;
      }
    }
    return found.rules.otherwise;
  }

  judge(data: SeccompData): Judgement {
    const failed: FailedClause[] = [];
    if (data[ARCH_WORD] !== this.#policy.architecture.auditArch) {
      return { action: foreignActionOf(this.#policy), by: 'foreign-architecture', failed };
    }
    const found = this.#rules.get(data[NUMBER_WORD] as number);
    if (found === undefined) return { action: this.#policy.defaultAction, by: 'default', failed };
    const { rules, filters } = found;
    for (const { filter, clauses } of filters) {
      const decided = { action: filter.action, by: 'filter', rules, filter, failed } as const;
      if (clauses.length === 0) return decided;
      for (const { clause, atoms } of clauses) {
        const wrong = this.#firstFailed(atoms, data);
        if (wrong === undefined) return { ...decided, clause };
        failed.push({ filter, clause, atom: wrong.atom });
      }
    }
    return { action: rules.otherwise, by: 'otherwise', rules, failed };
  }

  #firstFailed(atoms: readonly ReadyAtom[], data: SeccompData): ReadyAtom | undefined {
    for (const atom of atoms) if (!this.#holds(atom, data)) return atom;
    return undefined;
  }

  #holds({ operator, word, high, low }: ReadyAtom, data: SeccompData): boolean {
    const lower = data[word] as number;
    // A 32-bit kernel's arguments have no high half; the dialects do not look at it there.
    const upper = this.#wide ? (data[word + 1] as number) : high;
    switch (operator) {
      case '==':
        return upper === high && lower === low;
      case '!=':
        return upper !== high || lower !== low;
      case '>':
        return upper > high || (upper === high && lower > low);
      case '>=':
        return upper > high || (upper === high && lower >= low);
      case '<':
        return upper < high || (upper === high && lower < low);
      case '<=':
        return upper < high || (upper === high && lower <= low);
      case '&':
        return (lower & low) !== 0 || (this.#wide && (upper & high) !== 0);
      case 'in':
        return (lower & ~low) === 0 && (!this.#wide || (upper & ~high) === 0);
    }
  }
}
