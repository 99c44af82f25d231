import type { Program } from './bpf/instruction.js';
import { Interpreter } from './bpf/interpreter.js';
import { lowerRules } from './compile/lower-rules.js';
import { isAllowed, samplesOf } from './compile/samples.js';
import type { Policy } from './policy.js';
import { ARCH_WORD, NUMBER_WORD } from './seccomp-data.js';

/** Executed instructions, the return among them, of the syscalls that rules allow. */
export interface ProgramCost {
  /** How many syscalls are allowed, with some arguments at least. */
  readonly allowed: number;
  /** As the policy's frequencies weigh them; one that is missing counts 1. */
  readonly weighted: number;
  /** Each syscall the same. */
  readonly plain: number;
  readonly most: number;
}

/** Each syscall's allowed ways are taken equally often: a frequency file counts syscalls and not their arguments. */
export function programCost(policy: Policy, program: Program): ProgramCost {
  const { architecture, frequencies } = policy;
  const interpreter = new Interpreter(program);
  const sum = { allowed: 0, weight: 0, weighted: 0, plain: 0, most: 0 };
  for (const [number, rules] of policy.syscalls) {
    const executed: number[] = [];
    for (const { words } of samplesOf(lowerRules(rules, architecture.wordBits), 1)) {
      words[NUMBER_WORD] = number;
      words[ARCH_WORD] = architecture.auditArch;
      if (isAllowed(interpreter.run(words))) executed.push(interpreter.executed);
    }
    if (executed.length === 0) continue;
    const mean = executed.reduce((total, count) => total + count, 0) / executed.length;
    const weight = frequencies.get(number) ?? 1;
    sum.allowed += 1;
    sum.weight += weight;
    sum.weighted += weight * mean;
    sum.plain += mean;
    sum.most = Math.max(sum.most, ...executed);
  }
  return {
    allowed: sum.allowed,
    weighted: sum.weight === 0 ? 0 : sum.weighted / sum.weight,
    plain: sum.allowed === 0 ? 0 : sum.plain / sum.allowed,
    most: sum.most,
  };
}
