import type { Atom, Clause, Filter, Policy, SyscallRules } from '../../src/seccomp/policy.js';
import { sameAction } from '../../src/seccomp/verdict.js';

/** A policy in the dialect of libminijail's parser. */
export interface CDialectPolicy {
  readonly text: string;
  /** Syscalls with rules that the dialect has no words for, and that were left out. */
  readonly shortened: readonly string[];
}

function atomText({ argument, operator, value }: Atom): string {
  return `arg${argument} ${operator} 0x${value.toString(16)}`;
}

function clauseText(clause: Clause): string {
  return clause.map(atomText).join(' && ');
}

interface CRule {
  /** Undefined: the syscall gets the default, as without a line. */
  readonly line: string | undefined;
  readonly isWhole: boolean;
}

/**
 * The dialect has one line for each syscall: allowed, refused with an errno, or allowed on conditions and refused
 * otherwise. What else happens on conditions cannot be said.
 */
function ruleOf(policy: Policy, { name, filters, otherwise }: SyscallRules): CRule {
  const end = filters.find(({ clauses }) => clauses.length === 0);
  const rest = end?.action ?? otherwise;
  const conditional = filters.slice(0, end === undefined ? undefined : filters.indexOf(end));
  const isAllowing = ({ action }: Filter) => action.kind === 'allow';
  const clauses = conditional.filter(isAllowing).flatMap((filter) => filter.clauses);
  const isOnlyAllowing = conditional.every(isAllowing);
  if (rest.kind === 'allow') return { line: `${name}: 1`, isWhole: conditional.length === 0 };
  const condition = clauses.map(clauseText).join(' || ');
  if (rest.kind === 'errno') {
    const refused = `return ${rest.errno}`;
    return {
      line: `${name}: ${condition === '' ? refused : `${condition}; ${refused}`}`,
      isWhole: isOnlyAllowing,
    };
  }
  const isWhole = isOnlyAllowing && sameAction(rest, policy.defaultAction);
  return { line: condition === '' ? undefined : `${name}: ${condition}`, isWhole };
}

/** The same policy, its included files in place, without frequencies, one line for each syscall in their order. */
export function toCDialect(policy: Policy): CDialectPolicy {
  const lines: string[] = [];
  const shortened: string[] = [];
  for (const rules of policy.syscalls.values()) {
    const { line, isWhole } = ruleOf(policy, rules);
    if (line !== undefined) lines.push(`${line}\n`);
    if (!isWhole) shortened.push(rules.name);
  }
  return { text: lines.join(''), shortened };
}
