import { architectureOf } from '../src/seccomp/architecture.js';
import type { Program } from '../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../src/seccomp/compile/compile.js';
import { compilePlainly } from '../src/seccomp/compile/compile-plain.js';
import { parsePolicy } from '../src/seccomp/language/parse-policy.js';
import type { Policy } from '../src/seccomp/policy.js';
import { type AllowedSyscall, allowedSyscalls, executed } from './allowed-syscalls.js';
import { durationOf, median, millisecondsOf } from './measure.js';
import { programBound } from './program-bound.js';
import { DEVICE_FREQUENCY, DEVICE_POLICY } from './seccomp-policy.js';

export interface SeccompFigures {
  readonly seccompInstructions: number;
  /** Executed instructions of an allowed syscall, by frequency. */
  readonly seccompWeighted: number;
  readonly seccompUnweighted: number;
  /** Of those that are allowed by their arguments. */
  readonly seccompFiltered: number;
  readonly seccompPlainInstructions: number;
  readonly seccompPlainWeighted: number;
  /** Weighted, against a program whose tree of comparisons is the best there is. */
  readonly seccompOverBound: number;
  readonly seccompCompileMs: number;
  readonly seccompCompileCpuMs: number;
  readonly seccompCompileMsBest: number;
  readonly seccompEvaluationsPerSecond: number;
}

function devicePolicy(): Policy {
  return parsePolicy({
    text: DEVICE_POLICY,
    file: './device.policy',
    dialect: 'minijail-python',
    architecture: architectureOf('x86_64'),
    include: () => DEVICE_FREQUENCY,
  }).policy;
}

const ROUNDS = 60;
const EVALUATIONS = 2_000_000;

function evaluationsPerSecond(program: Program, syscalls: readonly AllowedSyscall[]): number {
  const interpreter = new Interpreter(program);
  const data = syscalls.flatMap((syscall) => syscall.data);
  const rates: number[] = [];
  for (let round = 0; round < 5; round++) {
    let returned = 0;
    const ms = millisecondsOf(() => {
      for (let at = 0; at < EVALUATIONS; at++) {
        returned ^= interpreter.run(data[at % data.length] as Uint32Array);
      }
    });
    // What is computed is used.
    if (returned === -1) throw new Error('no program returns this');
    rates.push(EVALUATIONS / (ms / 1000));
  }
  return median(rates);
}

export function seccompFigures(): SeccompFigures {
  const policy = devicePolicy();
  const syscalls = allowedSyscalls(policy);
  const durations = Array.from({ length: ROUNDS }, () => durationOf(() => compilePolicy(policy)));
  const warm = durations.slice(ROUNDS / 2);
  const program = compilePolicy(policy);
  const plain = compilePlainly(policy);
  const byFrequency = (syscall: AllowedSyscall) => syscall.weight;
  const weighted = executed(program, syscalls, byFrequency);
  const filtered = syscalls.filter(({ isFiltered }) => isFiltered);
  return {
    seccompInstructions: program.length,
    seccompWeighted: weighted,
    seccompUnweighted: executed(program, syscalls, () => 1),
    seccompFiltered: executed(program, filtered, byFrequency),
    seccompPlainInstructions: plain.length,
    seccompPlainWeighted: executed(plain, syscalls, byFrequency),
    seccompOverBound: weighted / programBound(policy, syscalls),
    seccompCompileMs: median(warm.map(({ ms }) => ms)),
    seccompCompileCpuMs: median(warm.map(({ cpuMs }) => cpuMs)),
    seccompCompileMsBest: Math.min(...warm.map(({ ms }) => ms)),
    seccompEvaluationsPerSecond: evaluationsPerSecond(program, syscalls),
  };
}
