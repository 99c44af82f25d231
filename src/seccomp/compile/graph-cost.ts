import { JEQ_K, JGT_K, JSET_K } from '../bpf/opcodes.js';
import type { Graph, Node, NodeId } from './graph.js';
import type { Sample } from './samples.js';

function branch({ code, k, yes, no }: Extract<Node, { kind: 'test' }>, a: number): NodeId {
  if (code === JEQ_K) return a === k ? yes : no;
  if (code === JSET_K) return (a & k) !== 0 ? yes : no;
  return (code === JGT_K ? a > k : a >= k) ? yes : no;
}

/** Instructions from `from` to the return; `loaded` is the value in A. */
function steps(graph: Graph, from: NodeId, words: Uint32Array, loaded: number): number {
  let a = loaded;
  let count = 1;
  for (let node = graph.node(from); node.kind !== 'return'; count++) {
    if (node.kind === 'load') {
      a = words[node.word] ?? 0;
      node = graph.node(node.next);
    } else node = graph.node(branch(node, a));
  }
  return count;
}

/** Nodes that can be reached. */
function sizeOf(graph: Graph, root: NodeId): number {
  const seen = new Set<NodeId>([root]);
  for (const id of seen) {
    const node = graph.node(id);
    if (node.kind === 'load') seen.add(node.next);
    else if (node.kind === 'test') seen.add(node.yes).add(node.no);
  }
  return seen.size;
}

/** What a graph costs: the instructions executed, by the samples' weight, and `perTest` for each that is there. */
export function graphCost(
  graph: Graph,
  root: NodeId,
  samples: readonly Sample[],
  loaded: number,
  perTest: number,
): number {
  let cost = perTest * sizeOf(graph, root);
  for (const { words, weight } of samples) {
    cost += weight * steps(graph, root, words, words[loaded] ?? 0);
  }
  return cost;
}
