/** A device tree as it was read back. */
export interface ReadNode {
  readonly name: string;
  readonly properties: Readonly<Record<string, Uint8Array>>;
  readonly children: readonly ReadNode[];
}

/** Reads the flattened format by its specification, and checks what it can. */
export function readDeviceTree(bytes: Uint8Array): ReadNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number) => view.getUint32(index * 4);
  const [magic, size, structureAt, stringsAt, reservationsAt, version, compatible] = [
    ...Array(7).keys(),
  ].map(word) as [number, number, number, number, number, number, number];
  must(magic === 0xd00dfeed && version === 17 && compatible === 16, 'the header is another');
  must(size === bytes.length, 'the size is another');
  must(stringsAt + word(8) === size && structureAt + word(9) === stringsAt, 'blocks have gaps');
  must(reservationsAt % 8 === 0 && structureAt % 4 === 0, 'blocks are not aligned');
  must(view.getBigUint64(reservationsAt) === 0n, 'an address is reserved');
  must(view.getBigUint64(reservationsAt + 8) === 0n, 'a size is reserved');
  let at = structureAt;
  const next = () => {
    at += 4;
    return view.getUint32(at - 4);
  };
  const text = (from: number) => {
    const end = bytes.indexOf(0, from);
    return new TextDecoder().decode(bytes.subarray(from, end));
  };
  const skipPadded = (length: number) => {
    const end = at + length;
    at = Math.ceil(end / 4) * 4;
    must(
      bytes.subarray(end, at).every((byte) => byte === 0),
      'padding is not zero',
    );
  };
  const node = (): ReadNode => {
    const name = text(at);
    skipPadded(new TextEncoder().encode(name).length + 1);
    const properties: Record<string, Uint8Array> = {};
    const children: ReadNode[] = [];
    for (;;) {
      const token = next();
      if (token === 2) return { name, properties, children };
      if (token === 1) {
        children.push(node());
        continue;
      }
      must(token === 3 && children.length === 0, `token ${token} is out of place`);
      const length = next();
      const key = text(stringsAt + next());
      properties[key] = bytes.slice(at, at + length);
      skipPadded(length);
    }
  };
  must(next() === 1, 'there is no root');
  const root = node();
  must(next() === 9 && at === stringsAt, 'the structure does not end');
  return root;
}

/** A child of the root. */
export function find(root: ReadNode, name: string): ReadNode {
  const found = root.children.find((child) => child.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

function must(condition: boolean, problem: string): void {
  if (!condition) throw new Error(problem);
}
