import { type Codec, type Fields, named, type ProtoType, type ValuesOf } from './codec.js';
import { readFields, writeFields } from './fields.js';
import { countRuns, readRanges, readRuns } from './packed-loops.js';
import {
  fillKind,
  KIND,
  type Kind,
  kindProblem,
  matchesKind,
  readNumbers,
  writeKind,
} from './packed-values.js';
import { WIRE_LENGTH, WireError, type WireReader, WireWriter } from './wire.js';

/** What a blob or a packed list has beside what its kind says. */
interface KindOptions<A> {
  readonly name: string;
  readonly suffix?: string;
  readonly proto: ProtoType;
  read(reader: WireReader): A;
}

function kindCodec<A extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  kind: Kind,
  options: KindOptions<A>,
): Codec<A> {
  return {
    ...options,
    kind,
    wireType: WIRE_LENGTH,
    check: (value) => kindProblem(kind, value),
    write: (writer, value) => writeKind(kind, writer, value),
    matches: (reader, value) => matchesKind(kind, reader, value),
    fill: (reader, target) => fillKind(kind, reader, target),
  };
}

/** Raw bytes. A decoded value is a fresh array at offset 0. */
export const bytes: Codec<Uint8Array> = kindCodec<Uint8Array>(KIND.bytes, {
  name: 'bytes',
  proto: { type: 'bytes' },
  read: (reader) => reader.blob(),
});

/** Reads a list whose length in elements is not known. */
function readList<A extends Uint16Array | Uint32Array | Float64Array>(
  reader: WireReader,
  type: { new (length: number): A },
  readInto: (reader: WireReader, end: number, target: A) => number,
  capacity?: (reader: WireReader, end: number) => number,
): A {
  const length = reader.length();
  const end = reader.position + length;
  // Without a capacity every element takes a byte or more: a lying length cannot make this allocation large.
  const target = new type(capacity?.(reader, end) ?? length);
  const count = readInto(reader, end, target);
  if (reader.position !== end) {
    throw new WireError('a packed list does not end where its length says', reader.position);
  }
  return count === target.length ? target : (target.slice(0, count) as A);
}

export const u16Array: Codec<Uint16Array> = kindCodec<Uint16Array>(KIND.u16s, {
  name: 'u16[]',
  proto: { type: 'uint32', repeated: true },
  read: (reader) => readList<Uint16Array>(reader, Uint16Array, readNumbers),
});

export const u32Array: Codec<Uint32Array> = kindCodec<Uint32Array>(KIND.u32s, {
  name: 'u32[]',
  proto: { type: 'uint32', repeated: true },
  read: (reader) => readList<Uint32Array>(reader, Uint32Array, readNumbers),
});

/**
 * 32-bit numbers of which many follow on the one before: page frames. On the wire they are runs, as pairs [distance of
 * the first from the end of the run before, how many].
 */
export const u32Runs: Codec<Uint32Array> = kindCodec<Uint32Array>(KIND.runs, {
  name: 'u32[] (runs)',
  suffix: 'runs',
  proto: { type: 'sint64', repeated: true },
  read: (reader) =>
    readList<Uint32Array>(reader, Uint32Array, readRuns, (from, end) =>
      from.unpacked(countRuns(from, end)),
    ),
});

/**
 * Byte ranges as pairs [start, length, start, length, …] of whole numbers that end below 2^52. On the wire each start is
 * the difference to the end of the range before.
 */
export const byteRanges: Codec<Float64Array> = kindCodec<Float64Array>(KIND.ranges, {
  name: 'byte ranges',
  suffix: 'delta',
  proto: { type: 'sint64', repeated: true },
  read: (reader) => readList<Float64Array>(reader, Float64Array, readRanges),
});

/** A buffer of the caller's that the callee fills in whole: no allocation on a hot path. */
export function out<T extends { readonly length: number }>(codec: Codec<T>): Codec<T> {
  if (codec.fill === undefined) throw new TypeError(`${codec.name} cannot fill a buffer`);
  return { ...codec, name: `filled ${codec.name}`, isOut: true };
}

/** A group of named values. */
export function record<F extends Fields>(fields: F): Codec<ValuesOf<F>> {
  const entries = Object.entries(fields);
  const read = (reader: WireReader): ValuesOf<F> => {
    const length = reader.length();
    const outerEnd = reader.end;
    reader.end = reader.position + length;
    const value = readFields(reader, fields) as ValuesOf<F>;
    reader.end = outerEnd;
    return value;
  };
  const write = (writer: WireWriter, value: ValuesOf<F>): void => {
    const mark = writer.beginLength();
    writeFields(writer, fields, value);
    writer.endLength(mark);
  };
  return {
    name: `{ ${entries.map(([name, codec]) => `${name}: ${codec.name}`).join(', ')} }`,
    wireType: WIRE_LENGTH,
    proto: { type: 'message', fields },
    check: (value) => {
      if (typeof value !== 'object' || value === null) return 'must be an object';
      for (const [name, codec] of entries) {
        const problem = codec.check((value as Record<string, unknown>)[name]);
        if (problem !== undefined) return named(`.${name}`, problem);
      }
      return undefined;
    },
    ...roundingOf(entries),
    write,
    read,
    matches: matchesByBytes(write),
  };
}

function roundingOf<V>(entries: readonly [string, Codec<unknown>][]): { round?(value: V): V } {
  const rounding = entries.filter(([, codec]) => codec.round !== undefined);
  if (rounding.length === 0) return {};
  return {
    round: (value) => {
      const rounded = { ...(value as Record<string, unknown>) };
      for (const [name, codec] of rounding) rounded[name] = codec.round?.(rounded[name]);
      return rounded as V;
    },
  };
}

/** A list of values; packed lists of integers have codecs of their own. */
export function list<T>(item: Codec<T>): Codec<readonly T[]> {
  // A wrapper message keeps one field for the list, so that every codec stays one tag and one value.
  const items = repeated(item);
  const wrapper = record({ items });
  return {
    name: `list of ${item.name}`,
    wireType: WIRE_LENGTH,
    proto: wrapper.proto,
    check: items.check,
    ...(item.round === undefined
      ? {}
      : { round: (value) => value.map((element) => item.round?.(element) ?? element) }),
    write: (writer, value) => wrapper.write(writer, { items: value }),
    read: (reader) => wrapper.read(reader).items,
    matches: (reader, value) => wrapper.matches(reader, { items: value }),
  };
}

/** Only inside `list`: `writeFields` and `readFields` repeat its tag. */
function repeated<T>(item: Codec<T>): Codec<readonly T[]> & { readonly item: Codec<T> } {
  return {
    name: `${item.name}[]`,
    wireType: item.wireType,
    proto: { ...item.proto, repeated: true },
    item,
    check: (value) => {
      if (!Array.isArray(value)) return 'must be an array';
      for (let index = 0; index < value.length; index++) {
        const problem = item.check(value[index]);
        if (problem !== undefined) return named(`[${index}]`, problem);
      }
      return undefined;
    },
    write: () => {
      throw new TypeError('a repeated field is written by writeFields');
    },
    read: () => {
      throw new TypeError('a repeated field is read by readFields');
    },
    matches: () => false,
  };
}

/** Encodes the value again and compares: for shapes that are off the hot path. */
function matchesByBytes<T>(write: (writer: WireWriter, value: T) => void) {
  return (reader: WireReader, value: T): boolean => {
    const start = reader.position;
    const length = reader.length();
    reader.position += length;
    const again = new WireWriter(256);
    write(again, value);
    const size = reader.position - start;
    if (size !== again.position) return false;
    for (let index = 0; index < size; index++) {
      if (reader.bytes[start + index] !== again.bytes[index]) return false;
    }
    return true;
  };
}
