import {
  matchRanges,
  matchRuns,
  rangesProblem,
  readRanges,
  readRuns,
  writeRanges,
  writeRuns,
} from './packed-loops.js';
import { SHORT_COPY, WireError, type WireReader, type WireWriter, writeVarint } from './wire.js';

/*
 * Blobs and packed lists with their length in front. The recorder and the replayer come here without going through a
 * codec: a call that is another function each time costs as much as a short list.
 */

/** The kinds of values that hot loops tell apart by a number; all others go through their codec. */
export const KIND = { other: 0, bytes: 1, u16s: 2, u32s: 3, runs: 4, ranges: 5 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** A kind's array, as its functions take it. */
interface Arrays {
  bytes: Uint8Array;
  u16s: Uint16Array;
  u32s: Uint32Array;
  ranges: Float64Array;
}
type AnyArray = Arrays[keyof Arrays];

/** A varint of a number in an array of 32-bit ones. */
const VARINT_BYTES = 5;
/** So many numbers take less than 128 bytes. */
const FEW_NUMBERS = 25;
/** What a run and half a range take on the wire, mostly; a wrong guess costs time only. */
const USUAL_PAIR_BYTES = 4;
const USUAL_RUN = 16;

/** What is wrong with a value of this kind, or undefined. */
export function kindProblem(kind: Kind, value: unknown): string | undefined {
  switch (kind) {
    case KIND.bytes:
      return value instanceof Uint8Array ? undefined : 'must be a Uint8Array';
    case KIND.u16s:
      return value instanceof Uint16Array ? undefined : 'must be a Uint16Array';
    case KIND.u32s:
    case KIND.runs:
      return value instanceof Uint32Array ? undefined : 'must be a Uint32Array';
    case KIND.ranges:
      return value instanceof Float64Array
        ? rangesProblem(value)
        : 'must be a Float64Array of [start, length, …]';
    default:
      throw new TypeError('this kind of value is checked by its codec');
  }
}

export function writeKind(kind: Kind, writer: WireWriter, value: AnyArray): void {
  switch (kind) {
    case KIND.bytes:
      writer.blob(value as Uint8Array);
      return;
    case KIND.u16s:
    case KIND.u32s:
      writeNumbers(writer, value as Uint32Array);
      return;
    case KIND.runs: {
      const expected = (value.length / USUAL_RUN) * USUAL_PAIR_BYTES;
      const mark = writer.beginLength(expected);
      writeRuns(writer, value as Uint32Array);
      writer.endLength(mark, expected);
      return;
    }
    case KIND.ranges: {
      const expected = value.length * USUAL_PAIR_BYTES;
      const mark = writer.beginLength(expected);
      writeRanges(writer, value as Float64Array);
      writer.endLength(mark, expected);
      return;
    }
    default:
      throw new TypeError('this kind of value is written by its codec');
  }
}

function writeNumbers(writer: WireWriter, value: Uint16Array | Uint32Array): void {
  const { length } = value;
  writer.reserve((length + 1) * VARINT_BYTES);
  const mark = length > FEW_NUMBERS ? writer.beginLength(length) : writer.position++;
  const { bytes } = writer;
  let at = writer.position;
  for (let index = 0; index < length; index++) {
    at = writeVarint(bytes, at, value[index] as number);
  }
  writer.position = at;
  if (length > FEW_NUMBERS) writer.endLength(mark, length);
  else bytes[mark] = at - mark - 1;
}

/** Reads a value into an array of its very length. @throws WireError for another length. */
export function fillKind(kind: Kind, reader: WireReader, target: AnyArray): void {
  const end = reader.length() + reader.position;
  let count: number;
  switch (kind) {
    case KIND.bytes:
      count = readBytes(reader, end, target as Uint8Array);
      break;
    case KIND.u16s:
    case KIND.u32s:
      count = readNumbers(reader, end, target as Uint32Array);
      break;
    case KIND.runs:
      count = readRuns(reader, end, target as Uint32Array);
      break;
    case KIND.ranges:
      count = readRanges(reader, end, target as Float64Array);
      break;
    default:
      throw new TypeError('this kind of value is read by its codec');
  }
  if (reader.position !== end) count++;
  if (count !== target.length) {
    throw new WireError(
      `holds ${count} elements for a buffer of ${target.length}`,
      reader.position,
    );
  }
}

function readBytes(reader: WireReader, end: number, target: Uint8Array): number {
  const start = reader.position;
  const length = end - start;
  reader.position = end;
  if (length !== target.length) return length;
  const { bytes } = reader;
  if (length <= SHORT_COPY) {
    for (let index = 0; index < length; index++) target[index] = bytes[start + index] as number;
  } else {
    target.set(bytes.subarray(start, end));
  }
  return length;
}

/** Reads up to `end` or until the target is full; returns how many numbers it read. */
export function readNumbers(
  reader: WireReader,
  end: number,
  target: Uint16Array | Uint32Array,
): number {
  const { length } = target;
  let count = 0;
  while (reader.position < end && count < length) target[count++] = reader.varint();
  return count;
}

/** Reads one value and compares it. */
export function matchesKind(kind: Kind, reader: WireReader, value: AnyArray): boolean {
  const end = reader.length() + reader.position;
  const same = matchesUpTo(kind, reader, end, value);
  reader.position = end;
  return same;
}

function matchesUpTo(kind: Kind, reader: WireReader, end: number, value: AnyArray): boolean {
  switch (kind) {
    case KIND.bytes:
      return matchBytes(reader, end, value as Uint8Array);
    case KIND.u16s:
    case KIND.u32s:
      return matchNumbers(reader, end, value as Uint32Array);
    case KIND.runs:
      return matchRuns(reader, end, value as Uint32Array);
    case KIND.ranges:
      return matchRanges(reader, end, value as Float64Array);
    default:
      throw new TypeError('this kind of value is compared by its codec');
  }
}

function matchBytes(reader: WireReader, end: number, value: Uint8Array): boolean {
  const { bytes, position } = reader;
  const length = end - position;
  if (length !== value.length) return false;
  for (let index = 0; index < length; index++) {
    if (bytes[position + index] !== value[index]) return false;
  }
  return true;
}

function matchNumbers(reader: WireReader, end: number, value: Uint16Array | Uint32Array): boolean {
  const { length } = value;
  for (let index = 0; index < length; index++) {
    if (reader.position >= end || reader.varint() !== value[index]) return false;
  }
  return reader.position === end;
}
