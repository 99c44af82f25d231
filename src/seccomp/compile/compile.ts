import type { Program } from '../bpf/instruction.js';
import { JEQ_K } from '../bpf/opcodes.js';
import type { Policy } from '../policy.js';
import { ARCH_WORD, NUMBER_WORD } from '../seccomp-data.js';
import { foreignActionOf, returnValueOf } from '../verdict.js';
import { checkArguments } from './check-arguments.js';
import { CompileError } from './compile-error.js';
import { decide } from './decision.js';
import { dispatchIntervals } from './dispatch.js';
import { emit } from './emit.js';
import { Graph, type Node, type NodeId } from './graph.js';
import { linearDecision } from './linear-decision.js';
import { lowerRules } from './lower-rules.js';
import type { RuleState } from './rule-state.js';
import { isAllowed, samplesOf } from './samples.js';
import { searchTree } from './search-tree.js';
import { weightsOf } from './usual-frequencies.js';

/** What an instruction costs by being in the program, as a part of all syscalls made. */
const PER_TEST = 1 / 4096;

/**
 * What finding a syscall counts more or less than the syscall is made. Kernels with a cache skip the program for what is
 * always allowed, so that syscalls with rules are what is really waited for; one that only fails is made no second time.
 * This much saves about a tenth of what syscalls with rules execute, and costs all together less than a hundredth (medians
 * over crosvm's policies); more costs more than it saves.
 */
function importance(target: Node): number {
  if (target.kind !== 'return') return 2.5;
  return isAllowed(target.value) ? 1 : 0.25;
}

type DecideRules = (graph: Graph, state: RuleState, frequency: number, perTest: number) => NodeId;

/** The numbers that are called in earnest: those with rules, and all known ones if the default allows them. */
function numbersMade({ architecture, defaultAction, syscalls }: Policy): Set<number> {
  const all = isAllowed(returnValueOf(defaultAction)) ? architecture.syscallNames.keys() : [];
  return new Set([...syscalls.keys(), ...all]);
}

function programOf(policy: Policy, decideRules: DecideRules): Program {
  const { architecture, defaultAction, syscalls } = policy;
  const graph = new Graph();
  const weights = weightsOf(policy, numbersMade(policy));
  const perTest = PER_TEST * [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const targets = new Map<number, NodeId>();
  for (const [number, rules] of syscalls) {
    const state = lowerRules(rules, architecture.wordBits);
    const weight = weights.get(number) ?? 0;
    const target = decideRules(graph, state, weight, perTest);
    targets.set(number, target);
    weights.set(number, weight * importance(graph.node(target)));
  }
  const fallback = graph.return(returnValueOf(defaultAction));
  const intervals = dispatchIntervals(targets, fallback, weights);
  const { root } = searchTree(graph, intervals, perTest);
  const foreign = graph.return(returnValueOf(foreignActionOf(policy)));
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
export function compilePolicy(policy: Policy): Program {
  checkArguments(policy);
  try {
    return programOf(policy, byDiagram);
  } catch (error) {
    if (!isTooLong(error)) throw error;
    // A diagram can be longer than what it decides.
    return programOf(policy, linearDecision);
  }
}
