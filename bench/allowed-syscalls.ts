import type { Program } from '../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../src/seccomp/bpf/interpreter.js';
import { lowerRules } from '../src/seccomp/compile/lower-rules.js';
import { wordsFor } from '../src/seccomp/compile/samples.js';
import { PolicyEvaluator } from '../src/seccomp/evaluate.js';
import type { Policy } from '../src/seccomp/policy.js';
import { DATA_WORDS } from '../src/seccomp/seccomp-data.js';

/** A syscall's data for each way in which it is allowed. */
export interface AllowedSyscall {
  readonly number: number;
  readonly weight: number;
  readonly isFiltered: boolean;
  readonly data: readonly Uint32Array[];
}

/** @param weights how often each syscall is made; one that is missing counts 1 */
export function allowedSyscalls(
  policy: Policy,
  weights: ReadonlyMap<number, number> = policy.frequencies,
): AllowedSyscall[] {
  const judge = new PolicyEvaluator(policy);
  const { wordBits, auditArch } = policy.architecture;
  return [...policy.syscalls.values()].flatMap((rules) => {
    const { filters } = lowerRules(rules, wordBits);
    const isFiltered = filters.length > 0;
    const clauses = filters.flatMap((filter) => filter.clauses);
    const words = isFiltered ? clauses.map(wordsFor) : [new Uint32Array(DATA_WORDS)];
    const data = words.map((each) => {
      each.set([rules.number, auditArch]);
      return each;
    });
    const allowed = data.filter((each) => judge.actionOf(each).kind === 'allow');
    const weight = weights.get(rules.number) ?? 1;
    return allowed.length === 0
      ? []
      : [{ number: rules.number, weight, isFiltered, data: allowed }];
  });
}

/** Mean of the executed instructions; a syscall's own are the mean over the ways in which it is allowed. */
export function executed(
  program: Program,
  syscalls: readonly AllowedSyscall[],
  weightOf: (syscall: AllowedSyscall) => number,
): number {
  const interpreter = new Interpreter(program);
  let sum = 0;
  let total = 0;
  for (const syscall of syscalls) {
    let count = 0;
    for (const data of syscall.data) {
      interpreter.run(data);
      count += interpreter.executed;
    }
    sum += (weightOf(syscall) * count) / syscall.data.length;
    total += weightOf(syscall);
  }
  return sum / total;
}
