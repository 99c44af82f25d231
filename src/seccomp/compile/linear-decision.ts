import { JEQ_K, JGT_K, JSET_K } from '../bpf/opcodes.js';
import type { Graph, NodeId } from './graph.js';
import type { RuleState } from './rule-state.js';
import { isPair, type Term, type WordTest } from './word-test.js';

function testNode(graph: Graph, { kind, k, word }: WordTest, yes: NodeId, no: NodeId): NodeId {
  switch (kind) {
    case 'eq':
      return graph.load(word, graph.test(JEQ_K, k, yes, no));
    case 'ne':
      return graph.load(word, graph.test(JEQ_K, k, no, yes));
    case 'gt':
      return graph.load(word, graph.test(JGT_K, k, yes, no));
    case 'le':
      return graph.load(word, graph.test(JGT_K, k, no, yes));
    case 'set':
      return graph.load(word, graph.test(JSET_K, k, yes, no));
    case 'clear':
      return graph.load(word, graph.test(JSET_K, k, no, yes));
  }
}

function termNode(graph: Graph, term: Term, yes: NodeId, no: NodeId): NodeId {
  if (!isPair(term)) return testNode(graph, term, yes, no);
  if (term.kind === 'either') {
    return testNode(graph, term.high, yes, testNode(graph, term.low, yes, no));
  }
  const { word, high, low } = term;
  const [above, notAbove] = term.kind === 'above' ? [yes, no] : [no, yes];
  const lowHalf = graph.load(word, graph.test(JGT_K, low, above, notAbove));
  // The test behind a load must look at the high half, so the second one is behind no load.
  const equal = graph.test(JEQ_K, high, lowHalf, notAbove);
  return graph.load(word + 1, graph.test(JGT_K, high, above, equal));
}

/** Clause by clause, as it is written: as long as the rules, whatever they are. */
export function linearDecision(graph: Graph, state: RuleState): NodeId {
  let next = graph.return(state.otherwise);
  for (const { clauses, value } of state.filters.toReversed()) {
    const result = graph.return(value);
    for (const clause of clauses.toReversed()) {
      const no = next;
      next = clause.toReversed().reduce((yes, term) => termNode(graph, term, yes, no), result);
    }
  }
  return next;
}
