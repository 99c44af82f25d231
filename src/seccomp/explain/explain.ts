import { type FailedClause, type Judgement, PolicyEvaluator } from '../evaluate.js';
import type { Policy } from '../policy.js';
import { argumentWord, NUMBER_WORD, type SeccompData, seccompData } from '../seccomp-data.js';
import { formatAction } from '../verdict.js';
import { formatAtom, formatNumber, nameValue } from './constant-names.js';
import { type Remedy, remedyFor } from './remedy.js';

export interface Explanation {
  /** The syscall with its arguments, as far as rules look at them. */
  readonly call: string;
  readonly judgement: Judgement;
  /** Where the policy decides, `file:line`; undefined for the default and for a foreign architecture. */
  readonly where?: string;
  /** The clause that held, as policies write it. */
  readonly clause?: string;
  /** Why the rules' clauses did not hold, in order. */
  readonly failed: readonly string[];
  /** Of a refusal. */
  readonly remedy?: Remedy;
  /** All of it, in lines. */
  readonly text: string;
}

function argumentValue(data: SeccompData, argument: number): bigint {
  const word = argumentWord(argument);
  return (BigInt(data[word + 1] ?? 0) << 32n) | BigInt(data[word] ?? 0);
}

function formatCall(policy: Policy, judgement: Judgement, data: SeccompData): string {
  const number = data[NUMBER_WORD] as number;
  const name = policy.architecture.syscallNames.get(number) ?? judgement.rules?.name;
  const args = [0, 1, 2, 3, 4, 5].map((argument) => {
    const value = argumentValue(data, argument);
    const { rules } = judgement;
    return rules === undefined
      ? formatNumber(value)
      : nameValue(policy.architecture, rules, argument, value);
  });
  while (args.at(-1) === '0') args.pop();
  return `${name ?? `syscall ${number}`}(${args.join(', ')})`;
}

function formatFailed(
  { architecture }: Policy,
  { rules }: Judgement,
  { clause, atom }: FailedClause,
  data: SeccompData,
): string {
  if (rules === undefined) return '';
  const whole = clause.map((each) => formatAtom(architecture, rules, each)).join(' && ');
  const value = argumentValue(data, atom.argument);
  const shown = nameValue(architecture, rules, atom.argument, value);
  const known = shown === formatNumber(value) ? shown : `${formatNumber(value)} (${shown})`;
  const which = clause.length > 1 ? `: ${formatAtom(architecture, rules, atom)} fails` : '';
  return `line ${atom.span.line} has \`${whole}\`${which}, arg${atom.argument} is ${known}`;
}

function reason({ by, rules }: Judgement): string {
  switch (by) {
    case 'default':
      return 'no rule names it';
    case 'foreign-architecture':
      return 'it is a syscall of another architecture';
    case 'otherwise':
      return `none of the clauses for ${rules?.name} holds`;
    case 'filter':
      return `a rule for ${rules?.name} says so`;
  }
}

/**
 * Explains what a policy does with a syscall.
 * @param args up to six machine words
 * @throws {CompileError} `ARGUMENT_NOT_LOADABLE` for a policy that no kernel takes
 */
export function explain(policy: Policy, number: number, args: readonly bigint[]): Explanation {
  return explainData(policy, seccompData(policy.architecture.auditArch, number, args));
}

/** `explain` for data as the kernel hands it to a filter. */
export function explainData(policy: Policy, data: SeccompData): Explanation {
  const judgement = new PolicyEvaluator(policy).judge(data);
  const { action, rules, filter, clause } = judgement;
  const isRefused = action.kind !== 'allow' && action.kind !== 'log';
  const remedy = isRefused ? remedyFor(policy, judgement, data) : undefined;
  const decisive = filter ?? rules?.filters.at(-1);
  const where = decisive && `${decisive.span.file}:${decisive.span.line}`;
  const held =
    rules && clause?.map((atom) => formatAtom(policy.architecture, rules, atom)).join(' && ');
  const failed = judgement.failed.map((each) => formatFailed(policy, judgement, each, data));
  const call = formatCall(policy, judgement, data);
  const lines = [
    `${call}: ${formatAction(action)}`,
    `${where === undefined ? '' : `${where}: `}${reason(judgement)}${held ? `: \`${held}\`` : ''}`,
    ...(isRefused ? failed : []).map((line) => `  ${line}`),
    ...(remedy === undefined ? [] : [`to allow it: ${remedy.text}`]),
  ];
  return {
    call,
    judgement,
    ...(where === undefined ? {} : { where }),
    ...(held === undefined ? {} : { clause: held }),
    failed,
    ...(remedy === undefined ? {} : { remedy }),
    text: `${lines.join('\n')}\n`,
  };
}
