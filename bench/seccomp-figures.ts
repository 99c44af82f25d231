import { architectureOf } from '../src/seccomp/architecture.js';
import type { Program } from '../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../src/seccomp/compile/compile.js';
import { compilePlainly } from '../src/seccomp/compile/compile-plain.js';
import { lowerRules } from '../src/seccomp/compile/lower-rules.js';
import { wordsFor } from '../src/seccomp/compile/samples.js';
import { PolicyEvaluator } from '../src/seccomp/evaluate.js';
import { parsePolicy } from '../src/seccomp/language/parse-policy.js';
import type { Policy } from '../src/seccomp/policy.js';
import { DATA_WORDS } from '../src/seccomp/seccomp-data.js';
import { comparisonBound, type Item } from './comparison-bound.js';
import { durationOf, median, millisecondsOf } from './measure.js';
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

/** A syscall's data for each way in which it is allowed. */
interface AllowedSyscall {
  readonly number: number;
  readonly weight: number;
  readonly isFiltered: boolean;
  readonly data: readonly Uint32Array[];
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

function allowedSyscalls(policy: Policy): AllowedSyscall[] {
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
    const weight = policy.frequencies.get(rules.number) ?? 1;
    return allowed.length === 0
      ? []
      : [{ number: rules.number, weight, isFiltered, data: allowed }];
  });
}

/** Mean of the executed instructions; a syscall's own are the mean over the ways in which it is allowed. */
function executed(
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

/** Comparisons of the number in the best tree, a syscall: only what is allowed has a weight. */
function dispatchBound(syscalls: readonly AllowedSyscall[]): number {
  const items: Item[] = [];
  const gap = { isSingle: false, target: 'refused', weight: 0 };
  let next = 0;
  let total = 0;
  for (const { number, weight, isFiltered } of syscalls.toSorted((a, b) => a.number - b.number)) {
    if (number !== next) items.push(gap);
    items.push({ isSingle: true, target: isFiltered ? `rules ${number}` : 'allowed', weight });
    next = number + 1;
    total += weight;
  }
  return comparisonBound([...items, gap]) / total;
}

/** Instructions after the number has been found, a syscall: the rules and the return. */
function behindDispatch(policy: Policy, syscalls: readonly AllowedSyscall[]): number {
  let sum = 0;
  let total = 0;
  for (const syscall of syscalls) {
    const rules = policy.syscalls.get(syscall.number);
    if (rules === undefined) continue;
    const alone = { ...policy, syscalls: new Map([[syscall.number, rules]]) };
    // Architecture, its test, the number, its test.
    const own = executed(compilePolicy(alone), [syscall], () => 1) - 4;
    sum += own * syscall.weight;
    total += syscall.weight;
  }
  return sum / total;
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
  // Load and test of the architecture, load of the number.
  const bound = 3 + dispatchBound(syscalls) + behindDispatch(policy, syscalls);
  const filtered = syscalls.filter(({ isFiltered }) => isFiltered);
  return {
    seccompInstructions: program.length,
    seccompWeighted: weighted,
    seccompUnweighted: executed(program, syscalls, () => 1),
    seccompFiltered: executed(program, filtered, byFrequency),
    seccompPlainInstructions: plain.length,
    seccompPlainWeighted: executed(plain, syscalls, byFrequency),
    seccompOverBound: weighted / bound,
    seccompCompileMs: median(warm.map(({ ms }) => ms)),
    seccompCompileCpuMs: median(warm.map(({ cpuMs }) => cpuMs)),
    seccompCompileMsBest: Math.min(...warm.map(({ ms }) => ms)),
    seccompEvaluationsPerSecond: evaluationsPerSecond(program, syscalls),
  };
}
