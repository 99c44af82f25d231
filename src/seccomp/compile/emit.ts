import type { Program } from '../bpf/instruction.js';
import { BackwardEmitter, type Position } from './backward-emitter.js';
import type { Graph, Node, NodeId } from './graph.js';

/** The test that a node makes: itself, or the one behind the load. */
function testOf(graph: Graph, node: Node): Extract<Node, { kind: 'test' }> | undefined {
  const test = node.kind === 'load' ? graph.node(node.next) : node;
  return test.kind === 'test' ? test : undefined;
}

/**
 * Lays a graph out. Every block ends in jumps, so that no block needs a place beside another one; a test behind several
 * loads is written behind each of them, which costs no more than a jump to it and saves its execution.
 * @throws {CompileError} `PROGRAM_TOO_LONG`
 */
export function emit(graph: Graph, root: NodeId): Program {
  const emitter = new BackwardEmitter();
  const positions = new Map<NodeId, Position>();

  const write = (id: NodeId): Position => {
    const node = graph.node(id);
    if (node.kind === 'return') return emitter.return(node.value);
    const test = testOf(graph, node);
    if (test === undefined) throw new Error(`node ${id} loads a word that nothing looks at`);
    const yes = positions.get(test.yes);
    const no = positions.get(test.no);
    if (yes === undefined || no === undefined) throw new Error(`node ${id} is before its ends`);
    const tested = emitter.test(test.code, test.k, yes, no);
    return node.kind === 'load' ? emitter.load(node.word) : tested;
  };

  // Children before parents, without recursion: a chain may be as long as the longest policy.
  const pending = [root];
  for (let id = pending.at(-1); id !== undefined; id = pending.at(-1)) {
    const test = testOf(graph, graph.node(id));
    const missing = test ? [test.yes, test.no].filter((child) => !positions.has(child)) : [];
    if (missing.length > 0) {
      pending.push(...missing);
      continue;
    }
    pending.pop();
    if (!positions.has(id)) positions.set(id, write(id));
  }
  return emitter.finish();
}
