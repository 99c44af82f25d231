/**
 * A property's value: nothing, text, a list of texts, 32-bit cells, or bytes as they are.
 */
export type DeviceTreeValue = true | string | readonly string[] | readonly number[] | Uint8Array;

export interface DeviceTreeNode {
  /** With its unit address, such as `cpu@0`; empty for the root. */
  readonly name: string;
  readonly properties: Readonly<Record<string, DeviceTreeValue>>;
  readonly children?: readonly DeviceTreeNode[];
}

const MAGIC = 0xd00dfeed;
const VERSION = 17;
const OLDEST_READER = 16;
const HEADER_BYTES = 40;
/** The memory reservation block has only its end: an address and a size of zero. */
const RESERVATIONS_BYTES = 16;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROPERTY = 3;
const END = 9;

/** Devicetree Specification 0.4, 2.2.1 and 2.2.4. */
const NODE_NAME = /^[0-9A-Za-z,._+-]{1,31}(?:@[0-9A-Za-z,._+-]+)?$/;
const PROPERTY_NAME = /^[0-9A-Za-z,._+?#-]{1,31}$/;

/** A 64-bit number as two cells. */
export function wide(value: number): readonly [number, number] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

/**
 * A device tree as a kernel reads it: the flattened format of version 17 (Devicetree Specification 0.4, chapter 5).
 *
 * @throws RangeError if a name is none, or a cell does not fit 32 bits.
 */
export function flattenDeviceTree(root: DeviceTreeNode): Uint8Array {
  const strings = new Strings();
  const structure = new Words();
  putNode(structure, strings, root, true);
  structure.u32(END);
  const structureAt = HEADER_BYTES + RESERVATIONS_BYTES;
  const stringsAt = structureAt + structure.length;
  const size = stringsAt + strings.length;
  const header = new Words();
  for (const word of [
    MAGIC,
    size,
    structureAt,
    stringsAt,
    HEADER_BYTES,
    VERSION,
    OLDEST_READER,
    0, // The first CPU boots.
    strings.length,
    structure.length,
  ]) {
    header.u32(word);
  }
  const bytes = new Uint8Array(size);
  bytes.set(header.bytes());
  bytes.set(structure.bytes(), structureAt);
  bytes.set(strings.bytes(), stringsAt);
  return bytes;
}

function putNode(out: Words, strings: Strings, node: DeviceTreeNode, isRoot: boolean): void {
  const { name, properties, children = [] } = node;
  if (isRoot ? name !== '' : !NODE_NAME.test(name)) {
    throw new RangeError(`"${name}" is no name of a device tree node`);
  }
  out.u32(BEGIN_NODE);
  out.padded(text(name));
  for (const [key, value] of Object.entries(properties)) {
    if (!PROPERTY_NAME.test(key)) {
      throw new RangeError(`"${key}" is no name of a device tree property`);
    }
    const data = dataOf(value);
    out.u32(PROPERTY);
    out.u32(data.length);
    out.u32(strings.offsetOf(key));
    out.padded(data);
  }
  for (const child of children) putNode(out, strings, child, false);
  out.u32(END_NODE);
}

function dataOf(value: DeviceTreeValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return text(value);
  const out = new Words();
  for (const item of value) {
    if (typeof item === 'string') out.raw(text(item));
    else out.u32(item);
  }
  return out.bytes();
}

/** With its NUL, and so without another. */
function text(value: string): Uint8Array {
  if (value.includes('\0')) throw new RangeError('text in a device tree has no NUL characters');
  return new TextEncoder().encode(`${value}\0`);
}

/** Big-endian words and bytes, one behind the other. */
class Words {
  #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new RangeError(`${value} is no cell of a device tree: it has 32 bits`);
    }
    this.#bytes.push(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }

  raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  /** Filled up to a whole word. */
  padded(bytes: Uint8Array): void {
    this.raw(bytes);
    while (this.#bytes.length % 4 !== 0) this.#bytes.push(0);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** The block of property names, each once. */
class Strings {
  readonly #offsets = new Map<string, number>();
  readonly #out = new Words();

  get length(): number {
    return this.#out.length;
  }

  offsetOf(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#out.length;
    this.#offsets.set(name, offset);
    this.#out.raw(text(name));
    return offset;
  }

  bytes(): Uint8Array {
    return this.#out.bytes();
  }
}
