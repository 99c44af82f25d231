import type { Policy, SyscallRules } from '../../src/seccomp/policy.js';
import { type SeccompData, seccompData } from '../../src/seccomp/seccomp-data.js';

const ALL_ONES = (1n << 64n) - 1n;
const ARGUMENTS = [-1, 0, 1, 2, 3, 4, 5];

/** Values around a constant: itself, its neighbours, each bit flipped, other high halves, none and all of the bits. */
export function valueEdges(value: bigint): bigint[] {
  const bits = Array.from({ length: 64 }, (_, bit) => value ^ (1n << BigInt(bit)));
  const low = value & 0xffffffffn;
  const highs = [0n, 1n, 0x80000000n, 0xffffffffn].map((high) => (high << 32n) | low);
  const others = [value, value - 1n, value + 1n, ~value, 0n, ALL_ONES, 0xffffffffn];
  return [...new Set([...bits, ...highs, ...others].map((each) => each & ALL_ONES))];
}

/** What makes a clause hold, atom by atom; `undefined` for arguments that it does not name. */
function matching(clause: SyscallRules['filters'][number]['clauses'][number]): bigint[] {
  const words = ARGUMENTS.map(() => 0n);
  for (const { argument, operator, value } of clause) {
    const off = { '!=': 1n, '>': 1n, '<': -1n }[operator as string] ?? 0n;
    words[argument + 1] = (value + off) & ALL_ONES;
  }
  return words;
}

function dataOf(policy: Policy, number: number, words: readonly bigint[]): SeccompData {
  const [pointer, ...args] = words;
  return seccompData(policy.architecture.auditArch, number, args, pointer);
}

/** Arguments that decide a syscall's rules, one argument at its edges and the others as a clause wants them. */
export function* argumentEdges(policy: Policy, rules: SyscallRules): Generator<SeccompData> {
  const clauses = rules.filters.flatMap((filter) => filter.clauses);
  const bases = [ARGUMENTS.map(() => 0n), ARGUMENTS.map(() => ALL_ONES), ...clauses.map(matching)];
  const edges = new Map<number, Set<bigint>>();
  for (const { argument, value } of clauses.flat()) {
    const known = edges.get(argument) ?? new Set();
    for (const edge of valueEdges(value)) known.add(edge);
    edges.set(argument, known);
  }
  for (const base of bases) {
    yield dataOf(policy, rules.number, base);
    for (const [argument, values] of edges) {
      for (const value of values) {
        const words = base.slice();
        words[argument + 1] = value;
        yield dataOf(policy, rules.number, words);
      }
    }
  }
}

/** All numbers an architecture might be asked for, those of x32 and beyond among them. */
export function* numberEdges(policy: Policy): Generator<SeccompData> {
  const known = [...policy.architecture.syscallNames.keys(), ...policy.syscalls.keys()];
  const near = known.flatMap((number) => [number - 1, number, number + 1, number + 0x40000000]);
  for (const number of new Set([...near, 0, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, -1])) {
    yield dataOf(policy, number >>> 0, []);
    yield seccompData(0x40000003, number >>> 0, []);
  }
}

export function* policyEdges(policy: Policy): Generator<SeccompData> {
  yield* numberEdges(policy);
  for (const rules of policy.syscalls.values()) yield* argumentEdges(policy, rules);
}
