import type { ParseInput, PolicyAnalysis } from '../language/parse-input.js';
import { analysePolicy } from '../language/parse-policy.js';
import type { Action, Atom, Dialect, Filter, Policy, SourceSpan, SyscallRules } from '../policy.js';
import type { LintFinding } from './lint-finding.js';

/** Where the other dialect rejects the policy, or reads it in another way. */
export function lintDialects(
  input: ParseInput,
  { policy, faults }: PolicyAnalysis,
): readonly LintFinding[] {
  const other = otherDialect(input.dialect);
  const analysis = analysePolicy(inputFor(other, input));
  const conditional = [...policy.syscalls.values()].filter(hasConditionalReturn);
  const areComparable = faults.length === 0 && analysis.faults.length === 0;
  const rejected = new Map<string, LintFinding>();
  for (const { place, message } of analysis.faults) {
    const key = `${place.span.file}:${place.span.line}`;
    if (rejected.has(key)) continue;
    rejected.set(key, {
      code: 'rejected-by-other-dialect',
      severity: 'note',
      span: place.span,
      message: `${other} rejects this: ${message}`,
    });
  }
  return [
    ...conditional.map((rules) => conditionalReturn(rules, policy)),
    ...rejected.values(),
    ...(areComparable ? differences(policy, analysis.policy, conditional) : []),
  ];
}

function otherDialect(dialect: Dialect): Dialect {
  return dialect === 'minijail-c' ? 'minijail-python' : 'minijail-c';
}

/** The same input under the other dialect; default actions that it does not have are left to it. */
function inputFor(dialect: Dialect, input: ParseInput): ParseInput {
  const { defaultAction, options = {}, ...rest } = input;
  const common = new Set<Action['kind']>(['kill-thread', 'kill-process', 'trap', 'log']);
  const isCommon = defaultAction !== undefined && common.has(defaultAction.kind);
  return {
    ...rest,
    dialect,
    options: { ...options, denylist: false, useRetLog: false },
    ...(isCommon ? { defaultAction } : {}),
  };
}

/** `expr; return E`: in C the errno is for what does not fulfil the expression, in Python for what does. */
function hasConditionalReturn({ filters, otherwise }: SyscallRules): boolean {
  const [first] = filters;
  if (filters.length !== 1 || first === undefined || first.clauses.length === 0) {
    return filters.some(isConditionalErrno);
  }
  return isConditionalErrno(first) || (first.action.kind === 'allow' && otherwise.kind === 'errno');
}

function isConditionalErrno({ action, clauses }: Filter): boolean {
  return clauses.length > 0 && action.kind === 'errno';
}

function conditionalReturn(rules: SyscallRules, policy: Policy): LintFinding {
  const isC = policy.dialect === 'minijail-c';
  const filter = rules.filters.find(isConditionalErrno) ?? rules.filters[0];
  const errno = isC ? describe(rules.otherwise) : describe(filter?.action ?? rules.otherwise);
  return {
    code: 'conditional-return',
    severity: 'warning',
    span: filter?.span ?? startOf(rules),
    message: isC
      ? `${rules.name}: here ${errno} is for what the expression does not cover; minijail-python returns it for what the expression covers, and allows nothing`
      : `${rules.name}: here ${errno} is for what the expression covers; minijail-c allows that, and returns the errno for all else`,
    remedy: isC
      ? `minijail-python says it as '{ EXPRESSION, return E }'`
      : `for minijail-c negate the expression`,
  };
}

function differences(
  policy: Policy,
  other: Policy,
  known: readonly SyscallRules[],
): readonly LintFinding[] {
  const explained = new Set(known.map(({ number }) => number));
  const numbers = new Set([...policy.syscalls.keys(), ...other.syscalls.keys()]);
  const findings: LintFinding[] = [];
  for (const number of numbers) {
    if (explained.has(number)) continue;
    const ours = policy.syscalls.get(number);
    const theirs = other.syscalls.get(number);
    if (meaning(ours, policy) === meaning(theirs, other)) continue;
    const rules = ours ?? theirs;
    if (rules === undefined) continue;
    findings.push({
      code: 'dialects-differ',
      severity: 'warning',
      span: startOf(rules),
      message: `${rules.name}: ${summary(ours)} here, ${summary(theirs)} in ${other.dialect}`,
      remedy: 'write it so that both mean the same, or keep to one dialect',
    });
  }
  return findings;
}

function summary(rules: SyscallRules | undefined): string {
  if (rules === undefined) return 'no rule';
  const [first] = rules.filters;
  if (first === undefined) return describe(rules.otherwise);
  return first.clauses.length === 0 ? describe(first.action) : 'a filter';
}

function describe(action: Action): string {
  return action.kind === 'errno' ? `errno ${action.errno}` : action.kind;
}

/** All that decides a verdict, as text. */
function meaning(rules: SyscallRules | undefined, policy: Policy): string {
  if (rules === undefined) return `default ${describe(policy.defaultAction)}`;
  const filters = rules.filters.map(
    ({ action, clauses }) =>
      `${clauses.map((clause) => clause.map(atomText).join('&&')).join('||')};${describe(action)}`,
  );
  const isDecided = rules.filters.at(-1)?.clauses.length === 0;
  return [...filters, isDecided ? '' : describe(rules.otherwise)].join(',');
}

function atomText({ argument, operator, value }: Atom): string {
  return `arg${argument}${operator}${value}`;
}

function startOf({ filters }: SyscallRules): SourceSpan {
  return filters[0]?.span ?? { file: '', line: 1, column: 1, length: 1 };
}
