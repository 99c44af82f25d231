import { JSET_K } from '../bpf/opcodes.js';
import type { Graph, NodeId } from './graph.js';
import { graphCost } from './graph-cost.js';
import { linearDecision } from './linear-decision.js';
import {
  assumeWord,
  mapTerms,
  type RuleState,
  stateKey,
  termsOf,
  wordsLeft,
} from './rule-state.js';
import { type Sample, weightOf } from './samples.js';
import { mergeNeighbours, searchTree } from './search-tree.js';
import { assumeInterval, assumeMask, boundaries, LAST_VALUE, masks } from './word-classes.js';

/** So many values to compare with that one instruction for each is too much. */
const MAX_TERMS = 4096;

/** Beyond this many states the rules are tested clause by clause: a decision diagram can grow exponentially. */
const MAX_STATES = 1000;

class TooManyStates extends Error {}

/** The values of a word from `low` to `high`, which no comparison tells apart. */
interface WordClass {
  readonly low: number;
  readonly high: number;
  readonly samples: readonly Sample[];
  readonly weight: number;
}

function classesOf(
  limits: readonly number[],
  samples: readonly Sample[],
  word: number,
): WordClass[] {
  const sorted = samples.toSorted((a, b) => (a.words[word] ?? 0) - (b.words[word] ?? 0));
  let next = 0;
  return [0, ...limits].map((low, index) => {
    const high = (limits[index] ?? LAST_VALUE + 1) - 1;
    const from = next;
    while (next < sorted.length && (sorted[next]?.words[word] ?? 0) <= high) next++;
    const there = sorted.slice(from, next);
    return { low, high, samples: there, weight: weightOf(there) };
  });
}

/**
 * Turns a syscall's rules into a decision diagram: word by word, each loaded once on a path, each found by the best tree
 * of comparisons for its values. States that are equal are decided once.
 */
class Decider {
  readonly #graph: Graph;
  readonly #perTest: number;
  readonly #known = new Map<string, NodeId>();
  #states = 0;

  constructor(graph: Graph, perTest: number) {
    this.#graph = graph;
    this.#perTest = perTest;
  }

  /** `loaded` is the word in A, -1 if it is not known. */
  decide(state: RuleState, samples: readonly Sample[], loaded: number): NodeId {
    if (state.filters.length === 0) return this.#graph.return(state.otherwise);
    const words = wordsLeft(state);
    const isLoaded = words.includes(loaded);
    const key = `${isLoaded ? loaded : ''} ${stateKey(state)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (++this.#states > MAX_STATES) throw new TooManyStates();
    const decision = isLoaded
      ? this.#onWord(state, samples, loaded)
      : this.#cheapest(
          words.map((word) => this.#graph.load(word, this.#onWord(state, samples, word))),
          samples,
          -1,
        );
    this.#known.set(key, decision);
    return decision;
  }

  #cheapest(options: readonly NodeId[], samples: readonly Sample[], loaded: number): NodeId {
    if (options.length === 1) return options[0] as NodeId;
    const costs = options.map((option) =>
      graphCost(this.#graph, option, samples, loaded, this.#perTest),
    );
    return options[costs.indexOf(Math.min(...costs))] as NodeId;
  }

  #onWord(state: RuleState, samples: readonly Sample[], word: number): NodeId {
    const terms = termsOf(state);
    const limits = boundaries(terms, word);
    const [mask] = masks(terms, word);
    const options: NodeId[] = [];
    if (limits.length > 0) {
      options.push(this.#byInterval(state, classesOf(limits, samples, word), word));
    }
    if (mask !== undefined) options.push(this.#byMask(state, samples, word, mask));
    return this.#cheapest(options, samples, word);
  }

  #byMask(state: RuleState, samples: readonly Sample[], word: number, mask: number): NodeId {
    const [yes, no] = [true, false].map((set) => {
      const known = mapTerms(state, (term) => assumeMask(term, word, mask, set));
      const there = samples.filter(({ words }) => (((words[word] ?? 0) & mask) !== 0) === set);
      return this.decide(known, there, word);
    });
    return this.#graph.test(JSET_K, mask, yes as NodeId, no as NodeId);
  }

  #byInterval(state: RuleState, classes: readonly WordClass[], word: number): NodeId {
    const targets = new Map<WordClass, NodeId>();
    // The heaviest first: what is decided for it is used wherever the same state comes again.
    for (const each of classes.toSorted((a, b) => b.weight - a.weight)) {
      const { low, high, samples } = each;
      const left =
        low === high
          ? assumeWord(state, word, low)
          : mapTerms(state, (term) => assumeInterval(term, word, low));
      targets.set(each, this.decide(left, samples, word));
    }
    const intervals = classes.map((each) => {
      const { low, high, weight } = each;
      return { low, high, weight, target: targets.get(each) as NodeId };
    });
    return searchTree(this.#graph, mergeNeighbours(intervals), this.#perTest).root;
  }
}

/**
 * The best program for a syscall's rules, as a node of `graph`.
 * @param perTest what an instruction costs by being there, in units of the samples' weight
 */
export function decide(
  graph: Graph,
  state: RuleState,
  samples: readonly Sample[],
  perTest: number,
): NodeId {
  if (termsOf(state).length > MAX_TERMS) return linearDecision(graph, state);
  try {
    return new Decider(graph, perTest).decide(state, samples, -1);
  } catch (error) {
    if (error instanceof TooManyStates) return linearDecision(graph, state);
    throw error;
  }
}
