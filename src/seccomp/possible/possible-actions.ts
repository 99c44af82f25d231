import { atomHolds } from '../atom-holds.js';
import type { Action, Atom, Clause, Filter, Policy, SyscallRules } from '../policy.js';
import { WordSet } from './word-set.js';

/** Six arguments, each a word or not known. */
export type KnownWords = readonly (bigint | undefined)[];

/** One thing that a policy may say of a syscall, with arguments for which it does. */
export interface PossibleAction {
  readonly action: Action;
  readonly by: 'filter' | 'otherwise' | 'default';
  readonly filter?: Filter;
  readonly clause?: Clause;
  /** What is not known and must hold for the clause: empty if it is met whatever is not known. */
  readonly unknown: readonly Atom[];
  /** Arguments that lead here; what is known stands as it is. */
  readonly witness: readonly bigint[];
}

/** What a policy says of one syscall of which not every argument is known. */
export interface PossibleActions {
  readonly rules?: SyscallRules;
  /** At least one; each can come about. */
  readonly actions: readonly PossibleAction[];
  /** The clauses that no argument can meet, each with the first atom that a known argument fails; in order. */
  readonly failed: readonly {
    readonly filter: Filter;
    readonly clause: Clause;
    readonly atom: Atom;
  }[];
}

/** A policy for which this would take too long; none that anyone has written. */
export class TooManyCasesError extends Error {
  override readonly name = 'TooManyCasesError';
  readonly code = 'TOO_MANY_CASES';
}

const MAX_STEPS = 200_000;

/** The C dialect also compares what stands before the arguments: number and architecture (-2), and the instruction pointer. */
const FIRST_ARGUMENT = 2;

function slots(auditArch: number, number: number, known: KnownWords): KnownWords {
  const head = (BigInt(auditArch) << 32n) | BigInt(number);
  return [head, undefined, ...[0, 1, 2, 3, 4, 5].map((index) => known[index])];
}

/** The words that each argument may still have. */
type Case = readonly WordSet[];

interface Residual {
  readonly filter: Filter;
  readonly clause: Clause;
  /** Atoms on arguments that are not known. */
  readonly atoms: readonly Atom[];
}

/**
 * What a policy can do to a syscall: exactly the actions that some value of the unknown arguments brings about. Nothing is
 * approximated: of `arg0 == 1 || arg0 != 1`, the contrary cannot come about.
 *
 * @param number of the policy's own architecture.
 * @throws TooManyCasesError
 */
export function possibleActions(
  policy: Policy,
  number: number,
  known: KnownWords,
): PossibleActions {
  const rules = policy.syscalls.get(number);
  const { wordBits, auditArch } = policy.architecture;
  const words = slots(auditArch, number, known);
  if (rules === undefined) {
    const witness = words.slice(FIRST_ARGUMENT).map((word) => word ?? 0n);
    const action = policy.defaultAction;
    return { actions: [{ action, by: 'default', unknown: [], witness }], failed: [] };
  }
  const mask = (1n << BigInt(wordBits)) - 1n;
  const failed: { filter: Filter; clause: Clause; atom: Atom }[] = [];
  const residuals: (Residual | Filter)[] = [];
  for (const filter of rules.filters) {
    if (filter.clauses.length === 0) residuals.push(filter);
    for (const clause of filter.clauses) {
      const wrong = clause.find((atom) => isKnownToFail(atom, words, mask));
      if (wrong !== undefined) failed.push({ filter, clause, atom: wrong });
      else {
        const atoms = clause.filter(
          ({ argument }) => words[argument + FIRST_ARGUMENT] === undefined,
        );
        residuals.push({ filter, clause, atoms });
      }
    }
  }
  const search = new Search(rules, residuals, words);
  search.from(
    0,
    words.map(() => WordSet.all(wordBits)),
  );
  return { rules, actions: search.found, failed };
}

function isKnownToFail(atom: Atom, words: KnownWords, mask: bigint): boolean {
  const word = words[atom.argument + FIRST_ARGUMENT];
  return word !== undefined && !atomHolds(atom, word & mask);
}

/**
 * Goes through the clauses in order: each is met, or fails by its first, second, … atom; what cannot be is left out, and so
 * is what can lead to nothing new.
 */
class Search {
  readonly found: PossibleAction[] = [];
  readonly #rules: SyscallRules;
  readonly #residuals: readonly (Residual | Filter)[];
  readonly #words: KnownWords;
  /** Which clauses have decided already; the last one stands for the end of the rules. */
  readonly #hasDecided: boolean[];
  /** From here on, all have. */
  #nothingNewFrom: number;
  #steps = 0;

  constructor(rules: SyscallRules, residuals: readonly (Residual | Filter)[], words: KnownWords) {
    this.#rules = rules;
    this.#residuals = residuals;
    this.#words = words;
    this.#hasDecided = Array.from({ length: residuals.length + 1 }, () => false);
    this.#nothingNewFrom = residuals.length + 1;
  }

  from(index: number, sets: Case): void {
    if (index >= this.#nothingNewFrom) return;
    if (++this.#steps > MAX_STEPS) {
      throw new TooManyCasesError(
        `the rules of ${this.#rules.name} have more cases than can be looked at`,
      );
    }
    const residual = this.#residuals[index];
    if (residual === undefined) {
      this.#add(index, { action: this.#rules.otherwise, by: 'otherwise', unknown: [] }, sets);
    } else if ('clause' in residual) this.#fromClause(index, residual, sets);
    else {
      const decided = { action: residual.action, by: 'filter', filter: residual } as const;
      this.#add(index, { ...decided, unknown: [] }, sets);
    }
  }

  #fromClause(index: number, { filter, clause, atoms }: Residual, sets: Case): void {
    const failing: Case[] = [];
    let met: Case | undefined = sets;
    for (const atom of atoms) {
      const fails = narrowed(met, atom, false);
      if (fails !== undefined) failing.push(fails);
      met = narrowed(met, atom, true);
      if (met === undefined) break;
    }
    if (met !== undefined) {
      const decided = { action: filter.action, by: 'filter', filter, clause } as const;
      this.#add(index, { ...decided, unknown: atoms }, met);
    }
    for (const fails of failing) this.from(index + 1, fails);
  }

  /** The same clause is told once. */
  #add(index: number, found: Omit<PossibleAction, 'witness'>, sets: Case): void {
    if (this.#hasDecided[index]) return;
    this.#hasDecided[index] = true;
    while (this.#hasDecided[this.#nothingNewFrom - 1]) this.#nothingNewFrom -= 1;
    const words = this.#words.map((word, slot) => word ?? sets[slot]?.witness() ?? 0n);
    this.found.push({ ...found, witness: words.slice(FIRST_ARGUMENT) });
  }
}

/** The case with one more atom that holds or fails; undefined if that cannot be. */
function narrowed(
  sets: Case,
  { argument, operator, value }: Atom,
  isToHold: boolean,
): Case | undefined {
  const slot = argument + FIRST_ARGUMENT;
  const set = sets[slot]?.and({ operator, value, holds: isToHold });
  if (set?.witness() === undefined) return undefined;
  return sets.map((each, index) => (index === slot ? set : each));
}
