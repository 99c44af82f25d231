import type { Atom, Clause, Filter, Policy, SourceSpan, SyscallRules } from '../policy.js';
import { clauseImplies, isContradiction, isCovered } from './clause-logic.js';
import type { LintFinding } from './lint-finding.js';

/** Comparing each clause with each other one takes too long beyond. */
const CLAUSE_LIMIT = 300;

/** What can never decide: comparisons, clauses and filters of one policy. */
export function lintDeadRules(policy: Policy): readonly LintFinding[] {
  const { wordBits } = policy.architecture;
  return [...policy.syscalls.values()].flatMap((rules) =>
    new RulesLint(rules, wordBits).findings(),
  );
}

class RulesLint {
  readonly #rules: SyscallRules;
  readonly #wordBits: 32 | 64;
  readonly #findings: LintFinding[] = [];

  constructor(rules: SyscallRules, wordBits: 32 | 64) {
    this.#rules = rules;
    this.#wordBits = wordBits;
  }

  findings(): readonly LintFinding[] {
    const clauses = this.#rules.filters.reduce((sum, filter) => sum + filter.clauses.length, 0);
    if (clauses > CLAUSE_LIMIT) return [];
    const earlier: Clause[] = [];
    for (const filter of this.#rules.filters) {
      this.#lintFilter(filter, earlier);
      earlier.push(...clausesOf(filter));
    }
    return this.#findings;
  }

  #lintFilter(filter: Filter, earlier: readonly Clause[]): void {
    const live = filter.clauses.filter((clause) => this.#lintClause(clause));
    const isDead = clausesOf(filter).every((clause) => this.#isCovered(clause, earlier));
    if (isDead && live.length > 0) {
      this.#add('filter-shadowed', filter.span, {
        message: `this filter of ${this.#rules.name} never decides: earlier ones cover it`,
        remedy: 'remove it, or put it before them',
      });
      return;
    }
    if (isDead && filter.clauses.length === 0 && earlier.length > 0) {
      this.#add('filter-shadowed', filter.span, {
        message: `this action for ${this.#rules.name} is never reached: earlier filters always decide`,
        remedy: 'remove it, or narrow the filters before it',
      });
      return;
    }
    this.#lintRepetition(live, earlier);
  }

  /** Whether the clause can hold; otherwise it is reported, as are comparisons that change nothing. */
  #lintClause(clause: Clause): boolean {
    const impossible = clause.find((atom) => isContradiction([atom], this.#wordBits));
    if (impossible !== undefined) {
      this.#add('comparison-never-true', impossible.span, {
        message: `no value of arg${impossible.argument} fulfils this comparison`,
        remedy:
          impossible.operator === '&'
            ? "'& 0' tests no bit; '== 0' or 'in 0' may be meant"
            : 'remove it',
      });
      return false;
    }
    if (isContradiction(clause, this.#wordBits)) {
      this.#add('clause-never-true', spanOf(clause), {
        message: 'these comparisons exclude each other',
        remedy: "alternatives are joined with '||'",
      });
      return false;
    }
    this.#lintAtoms(clause);
    return true;
  }

  #lintAtoms(clause: Clause): void {
    const kept = [...clause];
    for (const atom of clause) {
      if (clauseImplies([], [atom], this.#wordBits)) {
        this.#add('comparison-always-true', atom.span, {
          message: `all values of arg${atom.argument} fulfil this comparison`,
          remedy: 'remove it; comparisons are unsigned',
        });
        kept.splice(kept.indexOf(atom), 1);
        continue;
      }
      const rest = kept.filter((other) => other !== atom);
      if (rest.length === 0 || !clauseImplies(rest, [atom], this.#wordBits)) continue;
      kept.splice(kept.indexOf(atom), 1);
      this.#add('comparison-redundant', atom.span, {
        message: `the other comparisons with arg${atom.argument} imply this one`,
        remedy: 'remove it',
      });
    }
  }

  #lintRepetition(clauses: readonly Clause[], earlier: readonly Clause[]): void {
    clauses.forEach((clause, index) => {
      const others = clauses.filter((other, position) =>
        position < index ? true : position > index && !this.#isSame(clause, other),
      );
      if (!this.#isCovered(clause, others) && !this.#isCovered(clause, earlier)) return;
      this.#add('clause-redundant', spanOf(clause), {
        message: 'other clauses cover this one',
        remedy: 'remove it',
      });
    });
  }

  #isCovered(clause: Clause, others: readonly Clause[]): boolean {
    return isCovered(clause, others, this.#wordBits);
  }

  #isSame(left: Clause, right: Clause): boolean {
    return clauseImplies(left, right, this.#wordBits) && clauseImplies(right, left, this.#wordBits);
  }

  #add(
    code: LintFinding['code'],
    span: SourceSpan,
    text: Pick<LintFinding, 'message' | 'remedy'>,
  ): void {
    this.#findings.push({ code, severity: 'warning', span, ...text });
  }
}

/** A filter without an expression always holds, as an empty conjunction does. */
function clausesOf({ clauses }: Filter): readonly Clause[] {
  return clauses.length === 0 ? [[]] : clauses;
}

/** From the first comparison to the last one, if they are in one line. */
function spanOf(clause: Clause): SourceSpan {
  const [first, ...rest] = clause as readonly [Atom, ...Atom[]];
  const last = rest
    .filter(({ span }) => span.line === first.span.line && span.file === first.span.file)
    .at(-1)?.span;
  if (last === undefined || last.column < first.span.column) return first.span;
  return { ...first.span, length: last.column + last.length - first.span.column };
}
