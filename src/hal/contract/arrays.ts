import { type Codec, type Fields, named, type ValuesOf } from './codec.js';
import { readFields, writeFields } from './fields.js';
import {
  matchDeltas,
  matchRanges,
  rangesProblem,
  readDeltas,
  readRanges,
  writeDeltas,
  writeRanges,
} from './packed-loops.js';
import { WIRE_LENGTH, WireError, type WireReader, WireWriter } from './wire.js';

function bytesEqual(reader: WireReader, value: Uint8Array): boolean {
  const length = reader.length();
  const start = reader.position;
  reader.position = start + length;
  if (length !== value.length) return false;
  const bytes = reader.bytes;
  for (let index = 0; index < length; index++) {
    if (bytes[start + index] !== value[index]) return false;
  }
  return true;
}

/** Raw bytes. A decoded value is a fresh array at offset 0. */
export const bytes: Codec<Uint8Array> = {
  name: 'bytes',
  wireType: WIRE_LENGTH,
  proto: { type: 'bytes' },
  check: (value) => (value instanceof Uint8Array ? undefined : 'must be a Uint8Array'),
  write: (writer, value) => writer.blob(value),
  read: (reader) => reader.blob(),
  matches: bytesEqual,
  fill: (reader, target) => {
    const length = reader.length();
    expectLength(reader, length, target.length);
    target.set(reader.bytes.subarray(reader.position, reader.position + length));
    reader.position += length;
  },
};

function expectLength(reader: WireReader, found: number, wanted: number): void {
  if (found !== wanted) {
    throw new WireError(`holds ${found} elements for a buffer of ${wanted}`, reader.position);
  }
}

/** What a packed list of integers needs to know of its array type. */
interface PackedShape<A> {
  readonly name: string;
  readonly suffix?: string;
  readonly protoType: 'uint32' | 'sint64';
  create(length: number): A;
  check(value: unknown): string | undefined;
  write(writer: WireWriter, value: A): void;
  /** Reads up to `end`; returns how many elements it put into `target`, at most `target.length`. */
  readInto(reader: WireReader, end: number, target: A): number;
  matches(reader: WireReader, end: number, value: A): boolean;
  truncate(value: A, length: number): A;
}

function packed<A extends { readonly length: number }>(shape: PackedShape<A>): Codec<A> {
  const readAll = (reader: WireReader): A => {
    const length = reader.length();
    const end = reader.position + length;
    // Every element takes a byte or more, so a lying length cannot make this allocation large.
    const target = shape.create(length);
    const count = shape.readInto(reader, end, target);
    if (reader.position !== end) {
      throw new WireError(`${shape.name} does not end where its length says`, reader.position);
    }
    return shape.truncate(target, count);
  };
  return {
    name: shape.name,
    wireType: WIRE_LENGTH,
    proto: { type: shape.protoType, repeated: true },
    ...(shape.suffix === undefined ? {} : { suffix: shape.suffix }),
    check: shape.check,
    write: (writer, value) => {
      // Every element takes a byte or more.
      const mark = writer.beginLength(value.length);
      shape.write(writer, value);
      writer.endLength(mark, value.length);
    },
    read: readAll,
    matches: (reader, value) => {
      const length = reader.length();
      const end = reader.position + length;
      const same = shape.matches(reader, end, value);
      reader.position = end;
      return same;
    },
    fill: (reader, target) => {
      const length = reader.length();
      const end = reader.position + length;
      const count = shape.readInto(reader, end, target);
      expectLength(reader, count, target.length);
      if (reader.position !== end) expectLength(reader, count + 1, target.length);
    },
  };
}

function varintArray<A extends Uint32Array | Uint16Array>(
  name: string,
  type: { new (length: number): A },
): Codec<A> {
  return packed<A>({
    name,
    protoType: 'uint32',
    create: (length) => new type(length),
    check: (value) => (value instanceof type ? undefined : `must be a ${type.name}`),
    write: (writer, value) => {
      const { length } = value;
      for (let index = 0; index < length; index++) writer.varint(value[index] as number);
    },
    readInto: (reader, end, target) => {
      let count = 0;
      while (reader.position < end && count < target.length) target[count++] = reader.varint();
      return count;
    },
    matches: (reader, end, value) => {
      const { length } = value;
      for (let index = 0; index < length; index++) {
        if (reader.position >= end || reader.varint() !== value[index]) return false;
      }
      return reader.position === end;
    },
    truncate: (value, length) => (length === value.length ? value : (value.slice(0, length) as A)),
  });
}

export const u16Array: Codec<Uint16Array> = varintArray('u16[]', Uint16Array);
export const u32Array: Codec<Uint32Array> = varintArray('u32[]', Uint32Array);

/** 32-bit numbers written as differences, for page frames. */
export const u32DeltaArray: Codec<Uint32Array> = packed<Uint32Array>({
  name: 'u32[] (delta)',
  suffix: 'delta',
  protoType: 'sint64',
  create: (length) => new Uint32Array(length),
  check: (value) => (value instanceof Uint32Array ? undefined : 'must be a Uint32Array'),
  write: writeDeltas,
  readInto: readDeltas,
  matches: matchDeltas,
  truncate: (value, length) => (length === value.length ? value : value.slice(0, length)),
});

/**
 * Byte ranges as pairs [start, length, start, length, …] of whole numbers that end below 2^52. On the wire each start is
 * the difference to the end of the range before.
 */
export const byteRanges: Codec<Float64Array> = packed<Float64Array>({
  name: 'byte ranges',
  suffix: 'delta',
  protoType: 'sint64',
  create: (length) => new Float64Array(length),
  check: (value) =>
    value instanceof Float64Array
      ? rangesProblem(value)
      : 'must be a Float64Array of [start, length, …]',
  write: writeRanges,
  readInto: readRanges,
  matches: matchRanges,
  truncate: (value, length) => (length === value.length ? value : value.slice(0, length)),
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
    name: `${item.name}[]`,
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
