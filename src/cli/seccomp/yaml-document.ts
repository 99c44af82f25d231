import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import {
  type DocumentPosition,
  type TestDocument,
  TestFileError,
} from '../../seccomp/policy-test/test-document.js';

/** Deeper documents are no test files; and an alias may stand in what it names. */
const DEPTH_LIMIT = 64;

/** Aliases can unfold a small file to anything. */
const NODE_LIMIT = 5_000_000;

/** YAML 1.2, with anchors. @throws TestFileError at the first fault */
export function parseYamlDocument(text: string, file: string): TestDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { intAsBigInt: true, lineCounter: lines });
  const positionAt = (offset: number): DocumentPosition => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [fault] = document.errors;
  if (fault !== undefined) {
    const reason = fault.message.split(/ at line \d+/u, 1)[0] ?? '';
    throw new TestFileError(file, positionAt(fault.pos[0]), `not YAML: ${reason}`);
  }
  const unfolding = new YamlUnfolding(document, (node, reason) => {
    throw new TestFileError(file, positionAt(startOf(node)), `not a test file: ${reason}`);
  });
  const value = unfolding.valueOf(document.contents, 0);
  return {
    value,
    positionOf: (container, field) => positionAt(unfolding.offsetOf(container, field)),
  };
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

/** Makes plain values of YAML's nodes, and remembers which came from which. */
class YamlUnfolding {
  readonly #document: Document;
  readonly #refuse: (node: Node, reason: string) => never;
  readonly #nodes = new WeakMap<object, Node>();
  #count = 0;

  constructor(document: Document, refuse: (node: Node, reason: string) => never) {
    this.#document = document;
    this.#refuse = refuse;
  }

  offsetOf(container: object, field: string | number | undefined): number {
    const node = this.#nodes.get(container);
    const inner: unknown =
      field !== undefined && (isMap(node) || isSeq(node)) ? node.get(field, true) : undefined;
    return isNode(inner) ? startOf(inner) : startOf(node);
  }

  valueOf(node: unknown, depth: number): unknown {
    if (!isNode(node)) return null;
    this.#count += 1;
    if (this.#count > NODE_LIMIT) return this.#refuse(node, 'its aliases unfold without end');
    if (depth > DEPTH_LIMIT)
      return this.#refuse(node, `more than ${DEPTH_LIMIT} values in each other`);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      return target === undefined
        ? this.#refuse(node, `there is no anchor &${node.source} before this`)
        : this.valueOf(target, depth + 1);
    }
    if (isSeq(node))
      return this.#keep(
        node,
        node.items.map((item) => this.valueOf(item, depth + 1)),
      );
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }): [string, unknown] => [
        isScalar(key) ? String(key.value) : this.#refuse(node, 'a field name is a text'),
        this.valueOf(value, depth + 1),
      ]);
      return this.#keep(node, Object.fromEntries(entries));
    }
    return isScalar(node) ? scalar(node.value) : null;
  }

  #keep<T extends object>(node: Node, value: T): T {
    this.#nodes.set(value, node);
    return value;
  }
}

/** Whole numbers come as bigint, so that they keep their digits; most need not. */
function scalar(value: unknown): unknown {
  const isSmall = typeof value === 'bigint' && Number.isSafeInteger(Number(value));
  return isSmall ? Number(value) : value;
}
