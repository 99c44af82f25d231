import type { Action, Atom, Operator, Policy } from '../../src/seccomp/policy.js';

/** What a kernel hands to a filter, in its order. */
export interface SyscallData {
  readonly number: number;
  readonly instructionPointer: bigint;
  readonly args: readonly bigint[];
}

/** What a policy says of a syscall, straight from the model: `ALLOW`, `ERRNO(1)`, `KILL_THREAD`, … */
export function verdictOf(policy: Policy, data: SyscallData): string {
  const rules = policy.syscalls.get(data.number);
  if (rules === undefined) return nameOf(policy.defaultAction);
  const filter = rules.filters.find(
    ({ clauses }) =>
      clauses.length === 0 ||
      clauses.some((clause) => clause.every((atom) => holds(atom, policy, data))),
  );
  return nameOf(filter?.action ?? rules.otherwise);
}

function nameOf(action: Action): string {
  if (action.kind === 'errno') return `ERRNO(${action.errno})`;
  return action.kind === 'user-notify'
    ? 'USER_NOTIF'
    : action.kind.toUpperCase().replaceAll('-', '_');
}

function holds({ argument, operator, value }: Atom, policy: Policy, data: SyscallData): boolean {
  return isMet(
    BigInt.asUintN(policy.architecture.wordBits, load(argument, policy, data)),
    value,
    operator,
  );
}

/** What an operator means, said a second time for the tests. */
export function isMet(word: bigint, value: bigint, operator: Operator): boolean {
  switch (operator) {
    case '==':
      return word === value;
    case '!=':
      return word !== value;
    case '<':
      return word < value;
    case '<=':
      return word <= value;
    case '>':
      return word > value;
    case '>=':
      return word >= value;
    case '&':
      return (word & value) !== 0n;
    case 'in':
      return (word & ~value) === 0n;
  }
}

function load(argument: number, policy: Policy, data: SyscallData): bigint {
  if (argument === -1) return data.instructionPointer;
  if (argument === -2) {
    return BigInt(data.number) | (BigInt(policy.architecture.auditArch) << 32n);
  }
  return data.args[argument] ?? 0n;
}
