import { JEQ_K, JGE_K, JGT_K, JSET_K } from '../bpf/opcodes.js';

/** A node of a `Graph`, by its number. */
export type NodeId = number;

export type TestCode = typeof JEQ_K | typeof JGT_K | typeof JGE_K | typeof JSET_K;

/** Ends the program, loads a word of the data, or compares the loaded word with a constant. */
export type Node =
  | { readonly kind: 'return'; readonly value: number }
  | { readonly kind: 'load'; readonly word: number; readonly next: NodeId }
  | {
      readonly kind: 'test';
      readonly code: TestCode;
      readonly k: number;
      readonly yes: NodeId;
      readonly no: NodeId;
    };

/** A program as a graph without cycles, in which the same thing is never there twice: equal tails are one node. */
export class Graph {
  readonly #nodes: Node[] = [];
  readonly #ids = new Map<string, NodeId>();

  node(id: NodeId): Node {
    const node = this.#nodes[id];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  return(value: number): NodeId {
    return this.#intern(`r${value}`, { kind: 'return', value });
  }

  /** A load before something that does not look at what was loaded is left out. */
  load(word: number, next: NodeId): NodeId {
    if (this.node(next).kind !== 'test') return next;
    return this.#intern(`l${word},${next}`, { kind: 'load', word, next });
  }

  test(code: TestCode, k: number, yes: NodeId, no: NodeId): NodeId {
    if (yes === no) return yes;
    return this.#intern(`t${code},${k},${yes},${no}`, { kind: 'test', code, k, yes, no });
  }

  #intern(key: string, node: Node): NodeId {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#nodes.push(node) - 1;
    this.#ids.set(key, id);
    return id;
  }
}
