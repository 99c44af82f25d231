import type { Program } from '../bpf/instruction.js';
import { JEQ_K } from '../bpf/opcodes.js';
import type { Action, Policy } from '../policy.js';
import { ARCH_WORD, NUMBER_WORD } from '../seccomp-data.js';
import { returnValueOf } from '../verdict.js';
import { checkArguments } from './check-arguments.js';
import { CompileError } from './compile-error.js';
import { decide } from './decision.js';
import { dispatchIntervals } from './dispatch.js';
import { emit } from './emit.js';
import { Graph, type NodeId } from './graph.js';
import { linearDecision } from './linear-decision.js';
import { lowerRules } from './lower-rules.js';
import type { RuleState } from './rule-state.js';
import { samplesOf } from './samples.js';
import { searchTree } from './search-tree.js';

export interface CompileOptions {
  /** What a syscall of a foreign architecture gets; kill-thread, as both of minijail's compilers have it. */
  readonly foreignArchitecture?: Action;
}

/** What an instruction costs by being in the program, as a part of all syscalls made. */
const PER_TEST = 1 / 4096;

type DecideRules = (graph: Graph, state: RuleState, frequency: number, perTest: number) => NodeId;

function programOf(policy: Policy, options: CompileOptions, decideRules: DecideRules): Program {
  const { architecture, frequencies, syscalls } = policy;
  const graph = new Graph();
  const frequencyOf = (number: number) => frequencies.get(number) ?? 1;
  let total = 0;
  for (const number of syscalls.keys()) total += frequencyOf(number);
  const perTest = total * PER_TEST;
  const targets = new Map<number, NodeId>();
  for (const [number, rules] of syscalls) {
    const state = lowerRules(rules, architecture.wordBits);
    targets.set(number, decideRules(graph, state, frequencyOf(number), perTest));
  }
  const fallback = graph.return(returnValueOf(policy.defaultAction));
  const intervals = dispatchIntervals(policy, targets, fallback);
  const { root } = searchTree(graph, intervals, perTest);
  const foreign = graph.return(
    returnValueOf(options.foreignArchitecture ?? { kind: 'kill-thread' }),
  );
  // Nothing else is loaded before the number is known: only then does a kernel cache what is always allowed. Numbers of
  // x32 (0x40000000 and up) are in no rule, and so in the last interval, the default's.
  const dispatch = graph.load(NUMBER_WORD, root);
  const checked = graph.test(JEQ_K, architecture.auditArch, dispatch, foreign);
  return emit(graph, graph.load(ARCH_WORD, checked));
}

const byDiagram: DecideRules = (graph, state, frequency, perTest) =>
  decide(graph, state, samplesOf(state, frequency), perTest);

function isTooLong(error: unknown): boolean {
  return error instanceof CompileError && error.code === 'PROGRAM_TOO_LONG';
}

/**
 * The program of a policy: few instructions for what is called often.
 * @throws {CompileError} `PROGRAM_TOO_LONG`, `ARGUMENT_NOT_LOADABLE`
 */
export function compilePolicy(policy: Policy, options: CompileOptions = {}): Program {
  checkArguments(policy);
  try {
    return programOf(policy, options, byDiagram);
  } catch (error) {
    if (!isTooLong(error)) throw error;
    // A diagram can be longer than what it decides.
    return programOf(policy, options, linearDecision);
  }
}
