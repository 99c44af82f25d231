import type { Judgement } from '../evaluate.js';
import { PolicyEvaluator } from '../evaluate.js';
import type { Atom, Clause, Filter, Policy, SourceSpan, SyscallRules } from '../policy.js';
import { argumentWord, NUMBER_WORD, type SeccompData } from '../seccomp-data.js';
import { formatAtom, selectorOf } from './constant-names.js';

/** The smallest change to a policy that lets a refused syscall through. */
export interface Remedy {
  /** What to do, in a line. */
  readonly text: string;
  /** What to write, as both dialects take it. */
  readonly insert: string;
  /** The line that it concerns; undefined for a line that is new. */
  readonly at?: SourceSpan;
  /** The policy with the change; it allows the syscall. */
  readonly policy: Policy;
}

const NOWHERE: SourceSpan = { file: '', line: 1, column: 1, length: 1 };
const ALLOW = { kind: 'allow' } as const;

function argumentValue(policy: Policy, data: SeccompData, argument: number): bigint {
  const word = argumentWord(argument);
  const high = policy.architecture.wordBits === 64 ? BigInt(data[word + 1] ?? 0) : 0n;
  return (high << 32n) | BigInt(data[word] ?? 0);
}

function withRules(policy: Policy, rules: SyscallRules): Policy {
  return { ...policy, syscalls: new Map(policy.syscalls).set(rules.number, rules) };
}

/** A clause that holds for the data: each atom that does not is replaced by one that asks for the argument's value. */
function clauseFor(policy: Policy, clause: Clause, data: SeccompData): Clause {
  const alone = (atom: Atom) => {
    const filters: Filter[] = [{ clauses: [[atom]], action: ALLOW, span: NOWHERE }];
    const number = data[NUMBER_WORD] as number;
    const otherwise = { kind: 'kill-process' } as const;
    const only = new Map([[number, { number, name: '', filters, otherwise }]]);
    return new PolicyEvaluator({ ...policy, syscalls: only }).actionOf(data).kind === 'allow';
  };
  const replaced = new Map<string, Atom>();
  for (const atom of clause) {
    const fitting = alone(atom)
      ? atom
      : { ...atom, operator: '==' as const, value: argumentValue(policy, data, atom.argument) };
    // Several bounds of one argument become one value.
    const key =
      fitting === atom ? `${atom.argument}${atom.operator}${atom.value}` : `${atom.argument}`;
    replaced.set(key, fitting);
  }
  return [...replaced.values()];
}

/** What a clause gives up to hold for the data: atoms, and among equals how many atoms let in more than one value. */
function looseness(policy: Policy, clause: Clause, data: SeccompData): number {
  const fitting = clauseFor(policy, clause, data);
  const changed = fitting.filter((atom) => !clause.includes(atom)).length;
  const open = fitting.filter(({ operator }) => operator !== '==').length;
  return changed * 1000 + open;
}

function formatClause(policy: Policy, rules: SyscallRules, clause: Clause): string {
  return clause.map((atom) => formatAtom(policy.architecture, rules, atom)).join(' && ');
}

/** Another clause for a filter that allows, before the one that refused. */
function widenFilter(
  policy: Policy,
  rules: SyscallRules,
  before: Filter | undefined,
  data: SeccompData,
): Remedy | undefined {
  const end = before === undefined ? rules.filters.length : rules.filters.indexOf(before);
  const candidates = rules.filters
    .slice(0, end)
    .filter(({ action }) => action.kind === 'allow')
    .flatMap((filter) => filter.clauses.map((clause) => ({ filter, clause })))
    .map((each) => ({ ...each, loose: looseness(policy, each.clause, data) }));
  const [first] = candidates.sort((a, b) => a.loose - b.loose);
  if (first === undefined) return undefined;
  const clause = clauseFor(policy, first.clause, data);
  const insert = `|| ${formatClause(policy, rules, clause)}`;
  const filters = rules.filters.map((filter) =>
    filter === first.filter ? { ...filter, clauses: [...filter.clauses, clause] } : filter,
  );
  const { span } = first.filter;
  return {
    text: `add \`${insert}\` to line ${span.line} of ${span.file}`,
    insert,
    at: span,
    policy: withRules(policy, { ...rules, filters }),
  };
}

/** The argument that chooses what the syscall does, if it is known, asked for its value. */
function selectorClauses(policy: Policy, name: string, data: SeccompData): Clause[] {
  const argument = selectorOf(name);
  if (argument === undefined) return [];
  const value = argumentValue(policy, data, argument);
  return [[{ argument, operator: '==', value, span: NOWHERE }]];
}

/** A filter before all others, or instead of the only one, which always refuses. */
function addFilter(policy: Policy, rules: SyscallRules, data: SeccompData): Remedy | undefined {
  const [first] = rules.filters;
  if (first === undefined) return undefined;
  const named = first.clauses[0] ?? [];
  const clauses =
    named.length > 0 ? [clauseFor(policy, named, data)] : selectorClauses(policy, rules.name, data);
  const filter: Filter = { clauses, action: ALLOW, span: first.span };
  const [clause] = clauses;
  const expression = clause === undefined ? '1' : formatClause(policy, rules, clause);
  const { span } = first;
  const isOnly = rules.filters.length === 1 && first.clauses.length === 0;
  if (isOnly && (clause === undefined || policy.dialect === 'minijail-c')) {
    // In C the errno is what else happens: `expr; return E`.
    const { action } = first;
    const rest = clause !== undefined && action.kind === 'errno' ? `; return ${action.errno}` : '';
    const insert = `${rules.name}: ${expression}${rest}`;
    return {
      text: `change line ${span.line} of ${span.file} to \`${insert}\``,
      insert,
      at: span,
      policy: withRules(policy, { ...rules, filters: [filter], otherwise: action }),
    };
  }
  const insert = `${rules.name}: ${expression}`;
  return {
    text: `add a line \`${insert}\` before line ${span.line} of ${span.file}`,
    insert,
    at: span,
    policy: withRules(policy, { ...rules, filters: [filter, ...rules.filters] }),
  };
}

function addRule(policy: Policy, data: SeccompData): Remedy | undefined {
  const number = data[NUMBER_WORD] as number;
  const name = policy.architecture.syscallNames.get(number);
  // Neither dialect can say a syscall by its number.
  if (name === undefined) return undefined;
  const clauses = selectorClauses(policy, name, data);
  const filters = [{ clauses, action: ALLOW, span: NOWHERE }];
  const rules = { number, name, filters, otherwise: policy.defaultAction };
  const [clause] = clauses;
  const insert = `${name}: ${clause === undefined ? '1' : formatClause(policy, rules, clause)}`;
  return { text: `add a line \`${insert}\``, insert, policy: withRules(policy, rules) };
}

/** What would let through what was refused; undefined if no change of the rules does. */
export function remedyFor(
  policy: Policy,
  judgement: Judgement,
  data: SeccompData,
): Remedy | undefined {
  const { by, rules, filter } = judgement;
  if (by === 'foreign-architecture') return undefined;
  const remedy =
    rules === undefined
      ? addRule(policy, data)
      : (widenFilter(policy, rules, filter, data) ?? addFilter(policy, rules, data));
  if (remedy === undefined) return undefined;
  const changed = new PolicyEvaluator(remedy.policy).actionOf(data);
  return changed.kind === 'allow' ? remedy : undefined;
}
