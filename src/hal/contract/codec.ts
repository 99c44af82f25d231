import type { Kind } from './packed-values.js';
import {
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
  WireError,
  type WireReader,
  type WireWriter,
} from './wire.js';

/** How a field appears in the protobuf descriptor. */
export interface ProtoType {
  readonly type:
    | 'bool'
    | 'uint32'
    | 'uint64'
    | 'sint32'
    | 'sint64'
    | 'fixed64'
    | 'string'
    | 'bytes'
    | 'enum'
    | 'message';
  readonly repeated?: boolean;
  /** For `enum`: its names, numbered from 0. */
  readonly values?: readonly string[];
  /** For `message`: its fields, numbered from 1. */
  readonly fields?: Fields;
}

/**
 * A value's type, its wire format and its checks, in one value. `write` and `read` handle the value without its tag.
 * `matches` reads one value and compares it, without building it where that is possible.
 */
export interface Codec<T> {
  /** Names the codec in fingerprints and reference pages, with the unit where there is one. */
  readonly name: string;
  readonly wireType: number;
  readonly proto: ProtoType;
  /** Appended to the field's name on the wire, so that coded values say so ("_delta", "_runs"). */
  readonly suffix?: string;
  /** True if the value may be undefined; then its field is absent. */
  readonly isOptional?: boolean;
  /** True for a buffer that the callee fills: its length is an argument, its content a result. */
  readonly isOut?: boolean;
  /** Of a plain unsigned integer: its largest value. Hot loops then do without calling the codec. */
  readonly max?: number;
  /** Of a blob or packed list: what hot loops tell it by, and then do without calling the codec. */
  readonly kind?: Kind;
  /** What is wrong with a value, or undefined. */
  check(value: unknown): string | undefined;
  /** For codecs that round: what will be read back. A program must see that already when it is recorded. */
  round?(value: T): T;
  write(writer: WireWriter, value: T): void;
  read(reader: WireReader): T;
  matches(reader: WireReader, value: T): boolean;
  /** Out buffers only: reads a value of the target's length into it. */
  fill?(reader: WireReader, target: T): void;
}

export type AnyCodec = Codec<never> | Codec<unknown>;
// biome-ignore lint/suspicious/noExplicitAny: a record of codecs of different types has no other common supertype
export type Fields = Readonly<Record<string, Codec<any>>>;
export type ValueOf<C> = C extends Codec<infer T> ? T : never;
export type ValuesOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'an object';
  return String(value);
}

/** Puts the name of a value before what is wrong with it, or with a part of it: "registers.r11 must be …". */
export function named(name: string, problem: string): string {
  return /^[.[]/.test(problem) ? name + problem : `${name} ${problem}`;
}

/** Whether a value is a whole number from 0 to `max`. */
export function isUnsigned(value: unknown, max: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= max && Number.isInteger(value);
}

function unsigned<T extends number>(name: string, max: number, proto: ProtoType): Codec<T> {
  return {
    name,
    wireType: WIRE_VARINT,
    proto,
    max,
    check: (value) =>
      isUnsigned(value, max)
        ? undefined
        : `must be a whole number from 0 to ${max}, got ${show(value)}`,
    write: (writer, value) => writer.varint(value),
    read: (reader) => {
      const value = reader.varint();
      if (value > max) throw new WireError(`${value} does not fit ${name}`, reader.position);
      return value as T;
    },
    matches: (reader, value) => reader.varint() === value,
  };
}

export const u8: Codec<number> = unsigned('u8', 0xff, { type: 'uint32' });
export const u16: Codec<number> = unsigned('u16', 0xffff, { type: 'uint32' });
export const u32: Codec<number> = unsigned('u32', 0xffffffff, { type: 'uint32' });
/** A whole number from 0 to 2^53 - 1. */
export const u53: Codec<number> = unsigned('u53', Number.MAX_SAFE_INTEGER, { type: 'uint64' });

/** A whole number from 0 to 2^53 - 1 with a unit in its type and name. */
export function quantity<T extends number>(unit: string): Codec<T> {
  return unsigned<T>(`u53 (${unit})`, Number.MAX_SAFE_INTEGER, { type: 'uint64' });
}

/** A small number that names a region, a VM, a timer, … of the kind given. Never an address, fd or pid. */
export function handle(kind: string): Codec<number> {
  return unsigned(`handle<${kind}>`, 0xffffffff, { type: 'uint32' });
}

export const i32: Codec<number> = {
  name: 'i32',
  wireType: WIRE_VARINT,
  proto: { type: 'sint32' },
  check: (value) =>
    typeof value === 'number' && (value | 0) === value
      ? undefined
      : `must be a whole number of 32 bits, got ${show(value)}`,
  write: (writer, value) => writer.zigzag(value),
  read: (reader) => {
    const value = reader.zigzag();
    if ((value | 0) !== value) throw new WireError(`${value} does not fit i32`, reader.position);
    return value;
  },
  matches: (reader, value) => reader.zigzag() === value,
};

/** Thousandths, for readings that are not whole (a temperature, a load). Kept exact to 0.001. */
export function milli(unit: string): Codec<number> {
  return {
    name: `milli-${unit}`,
    wireType: WIRE_VARINT,
    proto: { type: 'sint64' },
    suffix: 'milli',
    check: (value) =>
      typeof value === 'number' && Math.abs(value) < 2 ** 42
        ? undefined
        : `must be a number, got ${show(value)}`,
    round: (value) => Math.round(value * 1000) / 1000 + 0,
    write: (writer, value) => writer.zigzag(Math.round(value * 1000)),
    read: (reader) => reader.zigzag() / 1000,
    matches: (reader, value) => reader.zigzag() === Math.round(value * 1000),
  };
}

/** A full 64-bit value (registers, masks). Slower than the others: not for hot paths. */
export const u64: Codec<bigint> = {
  name: 'u64',
  wireType: WIRE_FIXED64,
  proto: { type: 'fixed64' },
  check: (value) =>
    typeof value === 'bigint' && BigInt.asUintN(64, value) === value
      ? undefined
      : `must be a bigint of 64 bits, got ${show(value)}`,
  write: (writer, value) => writer.fixed64(value),
  read: (reader) => reader.fixed64(),
  matches: (reader, value) => reader.fixed64() === value,
};

export const bool: Codec<boolean> = {
  name: 'bool',
  wireType: WIRE_VARINT,
  proto: { type: 'bool' },
  check: (value) =>
    typeof value === 'boolean' ? undefined : `must be true or false, got ${show(value)}`,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  read: (reader) => reader.varint() !== 0,
  matches: (reader, value) => (reader.varint() !== 0) === value,
};

// UTF-8 cannot hold one, so it would come back as another text.
const LONE_SURROGATE = /\p{Surrogate}/u;

export const text: Codec<string> = {
  name: 'text',
  wireType: WIRE_LENGTH,
  proto: { type: 'string' },
  check: (value) => {
    if (typeof value !== 'string') return `must be text, got ${show(value)}`;
    return LONE_SURROGATE.test(value)
      ? 'must be well-formed text, got a lone surrogate'
      : undefined;
  },
  write: (writer, value) => writer.text(value),
  read: (reader) => reader.text(),
  matches: (reader, value) => reader.textIs(value),
};

/** One of the given names. */
export function oneOf<const V extends readonly string[]>(...values: V): Codec<V[number]> {
  const numbers = new Map<string, number>(values.map((value, index) => [value, index]));
  const read = (reader: WireReader): V[number] => {
    const number = reader.varint();
    const value = values[number];
    if (value === undefined) {
      throw new WireError(`${number} names none of ${values.join(', ')}`, reader.position);
    }
    return value;
  };
  return {
    name: `one of ${values.join(', ')}`,
    wireType: WIRE_VARINT,
    proto: { type: 'enum', values },
    check: (value) =>
      typeof value === 'string' && numbers.has(value)
        ? undefined
        : `must be one of ${values.join(', ')}, got ${show(value)}`,
    write: (writer, value) => writer.varint(numbers.get(value) ?? 0),
    read,
    matches: (reader, value) => reader.varint() === numbers.get(value),
  };
}

/** The value may be undefined. Not for packed arrays: protobuf cannot tell an empty one from none. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  if (codec.proto.repeated === true) {
    throw new TypeError(`${codec.name} cannot be optional: an empty one and none look alike`);
  }
  const { round } = codec;
  return {
    ...codec,
    name: `${codec.name}, optional`,
    isOptional: true,
    check: (value) => (value === undefined ? undefined : codec.check(value)),
    write: (writer, value) => {
      if (value !== undefined) codec.write(writer, value);
    },
    ...(round === undefined
      ? {}
      : { round: (value: T | undefined) => (value === undefined ? value : round(value)) }),
    matches: (reader, value) => value !== undefined && codec.matches(reader, value),
  };
}
