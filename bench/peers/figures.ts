import type { Program } from '../../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { isAllowed } from '../../src/seccomp/compile/samples.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import type { Policy } from '../../src/seccomp/policy.js';
import { DATA_WORDS } from '../../src/seccomp/seccomp-data.js';
import { returnValueOf } from '../../src/seccomp/verdict.js';
import { type AllowedSyscall, allowedSyscalls, executed } from '../allowed-syscalls.js';
import { programBound } from '../program-bound.js';
import type { Peer } from './peer.js';
import type { MeasuredPolicy } from './policies.js';

/** What a compiler's program costs; the means are executed instructions of the allowed syscalls. */
export interface CompilerFigures {
  readonly instructions: number;
  readonly weighted: number;
  readonly plain: number;
  /** Weighted, of the syscalls that are allowed by their arguments; null if there are none. */
  readonly byArgument: number | null;
  /** Syscalls of which the compiler was not given all rules. */
  readonly shortened?: readonly string[];
}

export interface Refusal {
  readonly refused: string;
}

export interface PolicyFigures {
  readonly policy: string;
  readonly allowed: number;
  readonly filtered: number;
  /** Weighted, with the best tree of comparisons. */
  readonly bound: number;
  readonly halyard: CompilerFigures;
  readonly peers: Readonly<Record<string, CompilerFigures | Refusal>>;
}

function figuresOf(program: Program, syscalls: readonly AllowedSyscall[]): CompilerFigures {
  const filtered = syscalls.filter(({ isFiltered }) => isFiltered);
  const byWeight = ({ weight }: AllowedSyscall) => weight;
  return {
    instructions: program.length,
    weighted: executed(program, syscalls, byWeight),
    plain: executed(program, syscalls, () => 1),
    byArgument: filtered.length === 0 ? null : executed(program, filtered, byWeight),
  };
}

/** Arguments that match no clause, as a rule. */
const OTHER_WORDS = [0, 0x5a5a5a5b];

/** The first call that a program does not judge as the policy does. */
export function differenceOf(
  policy: Policy,
  program: Program,
  syscalls: readonly AllowedSyscall[],
): string | undefined {
  const interpreter = new Interpreter(program);
  const judge = new PolicyEvaluator(policy);
  const names = policy.architecture.syscallNames;
  for (const { number, data } of syscalls) {
    if (data.some((each) => !isAllowed(interpreter.run(each)))) {
      return `its program refuses ${names.get(number)}`;
    }
  }
  for (const [number, name] of names) {
    for (const word of OTHER_WORDS) {
      const data = new Uint32Array(DATA_WORDS).fill(word);
      data.set([number, policy.architecture.auditArch]);
      const expected = returnValueOf(judge.actionOf(data));
      if (isAllowed(interpreter.run(data)) !== isAllowed(expected)) {
        return `its program decides otherwise about ${name}`;
      }
    }
  }
  return undefined;
}

function peerFigures(
  peer: Peer,
  job: MeasuredPolicy,
  syscalls: readonly AllowedSyscall[],
): CompilerFigures | Refusal {
  const outcome = peer.compile(job);
  if ('refused' in outcome) return outcome;
  const { program, shortened } = outcome;
  const difference = differenceOf(job.policy, program, syscalls);
  if (difference !== undefined) return { refused: difference };
  const figures = figuresOf(program, syscalls);
  return shortened === undefined ? figures : { ...figures, shortened };
}

/** All compilers on one policy; undefined if it allows nothing. */
export function policyFigures(
  job: MeasuredPolicy,
  peers: readonly Peer[],
): PolicyFigures | undefined {
  const syscalls = allowedSyscalls(job.policy, job.weights);
  if (syscalls.length === 0) return undefined;
  return {
    policy: job.name,
    allowed: syscalls.length,
    filtered: syscalls.filter(({ isFiltered }) => isFiltered).length,
    bound: programBound(job.policy, syscalls),
    halyard: figuresOf(compilePolicy(job.policy), syscalls),
    peers: Object.fromEntries(peers.map((peer) => [peer.name, peerFigures(peer, job, syscalls)])),
  };
}
