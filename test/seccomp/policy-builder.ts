import {
  type Architecture,
  type ArchitectureName,
  architectureOf,
} from '../../src/seccomp/architecture.js';
import type { Action, Atom, Clause, Filter, Operator, Policy } from '../../src/seccomp/policy.js';

export const ALLOW: Action = { kind: 'allow' };
export const KILL: Action = { kind: 'kill-thread' };

const span = { file: 'test.policy', line: 1, column: 1, length: 1 };

export function errno(number: number): Action {
  return { kind: 'errno', errno: number };
}

export function atom(argument: number, operator: Operator, value: bigint | number): Atom {
  return { argument, operator, value: BigInt(value), span };
}

/** Without clauses it always applies. */
export function filter(action: Action, ...clauses: Clause[]): Filter {
  return { clauses, action, span };
}

export interface Rules {
  readonly filters: readonly Filter[];
  readonly otherwise?: Action;
}

export interface PolicyParts {
  readonly architecture?: ArchitectureName | Architecture;
  readonly defaultAction?: Action;
  /** By name or number. */
  readonly syscalls: Readonly<Record<string, readonly Filter[] | Rules>>;
  readonly frequencies?: Readonly<Record<string, number>>;
}

/** A policy by hand; each rule stands on a line of its own. */
export function policyOf({
  architecture: wanted = 'x86_64',
  defaultAction = KILL,
  syscalls,
  frequencies = {},
}: PolicyParts): Policy {
  const architecture = typeof wanted === 'string' ? architectureOf(wanted) : wanted;
  const numberOf = (name: string) => {
    const number = architecture.syscalls.get(name) ?? Number(name);
    if (!Number.isInteger(number)) throw new Error(`${architecture.name} has no ${name}`);
    return number;
  };
  const rules = Object.entries(syscalls).map(([name, given], index) => {
    const { filters, otherwise = defaultAction } = 'filters' in given ? given : { filters: given };
    const at = { ...span, line: index + 1 };
    const placed = filters.map((each) => ({
      ...each,
      span: at,
      clauses: each.clauses.map((clause) => clause.map((one) => ({ ...one, span: at }))),
    }));
    const number = numberOf(name);
    return [number, { number, name, filters: placed, otherwise }] as const;
  });
  return {
    architecture,
    dialect: 'minijail-python',
    defaultAction,
    syscalls: new Map(rules),
    frequencies: new Map(
      Object.entries(frequencies).map(([name, count]) => [numberOf(name), count]),
    ),
  };
}
