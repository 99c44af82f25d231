import type { Architecture } from '../architecture.js';
import type { Action, Policy, SyscallRules } from '../policy.js';
import type { LintFinding } from './lint-finding.js';
import { familyOf } from './syscall-families.js';

/**
 * What a policy lets through on one architecture and another architecture's policy does not, though that architecture
 * has the syscall or one that stands for it. Give all pairs both ways.
 */
export function lintParity(policy: Policy, other: Policy): readonly LintFinding[] {
  return [...policy.syscalls.values()].filter(mayPass).flatMap((rules) => {
    const available = counterparts(rules.name, other.architecture);
    const [preferred] = available;
    if (preferred === undefined) return [];
    if (available.some((name) => isLetThrough(name, other))) return [];
    return [missing(rules, preferred, policy, other)];
  });
}

/** On arm C libraries with 64-bit time use calls of their own: without them their fall-back decides. */
export function lintTime64(policy: Policy): readonly LintFinding[] {
  const { architecture } = policy;
  return [...policy.syscalls.values()].filter(mayPass).flatMap((rules) => {
    const modern = [`${rules.name}_time64`, `${rules.name}64`].find(
      (name) => /time|futex/u.test(name) && architecture.syscalls.has(name),
    );
    if (modern === undefined || policy.syscalls.has(numberOf(modern, architecture))) return [];
    return [
      {
        code: 'time64-missing',
        severity: 'note',
        span: spanOf(rules),
        message: `${rules.name} is allowed and ${modern} is not, which newer C libraries call first`,
        remedy: `add a rule for ${modern}; only ENOSYS makes them fall back`,
      },
    ];
  });
}

/** Names of the other architecture for a syscall: its own if there is one, the family otherwise. */
function counterparts(name: string, { syscalls }: Architecture): readonly string[] {
  const family = familyOf(name).filter((member) => syscalls.has(member));
  if (!syscalls.has(name)) return family;
  return [name, ...family.filter((member) => member !== name)];
}

function isLetThrough(name: string, policy: Policy): boolean {
  const rules = policy.syscalls.get(numberOf(name, policy.architecture));
  return rules === undefined ? isPassing(policy.defaultAction) : mayPass(rules);
}

/** Whether some arguments are allowed, or only logged. */
function mayPass({ filters, otherwise }: SyscallRules): boolean {
  const isDecided = filters.some(({ clauses }) => clauses.length === 0);
  const actions = filters.map(({ action }) => action);
  return [...actions, ...(isDecided ? [] : [otherwise])].some(isPassing);
}

function isPassing({ kind }: Action): boolean {
  return kind === 'allow' || kind === 'log';
}

function numberOf(name: string, { syscalls }: Architecture): number {
  return syscalls.get(name) ?? -1;
}

function missing(
  rules: SyscallRules,
  preferred: string,
  policy: Policy,
  other: Policy,
): LintFinding {
  const where = `${policy.architecture.name} lets ${rules.name} through`;
  return {
    code: 'parity-missing',
    severity: 'warning',
    span: spanOf(rules),
    message:
      preferred === rules.name
        ? `${where}, ${other.architecture.name} does not`
        : `${where}, ${other.architecture.name} has no rule that allows ${preferred}, which stands for it`,
    remedy: `add ${preferred} to the policy of ${other.architecture.name}, or say there that it is refused`,
  };
}

function spanOf({ filters }: SyscallRules): LintFinding['span'] {
  return filters[0]?.span ?? { file: '', line: 1, column: 1, length: 1 };
}
