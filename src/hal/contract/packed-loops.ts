import { runEnd } from './runs.js';
import { WireError, type WireReader, type WireWriter, writeVarint } from './wire.js';

/*
 * The loops over packed integers. A balloon's page frames mostly follow on one another, so they are kept as runs; a run
 * and a byte range are the same pair on the wire: the distance from the end of the one before, and the length.
 */

/** Zigzag varints of numbers below 2^53 take 8 bytes at most. */
const PAIR_BYTES = 16;
// The difference of two is signed, and zigzag takes one of the 53 bits for that.
const RANGE_LIMIT = 2 ** 52;
const U32_MAX = 0xffffffff;

/** Writes runs of values that grow by one as pairs [distance, length, …]. */
export function writeRuns(writer: WireWriter, value: Uint32Array): void {
  const { length } = value;
  let end = 0;
  let index = 0;
  while (index < length) {
    const first = value[index] as number;
    const start = index;
    index = runEnd(value, start);
    const count = index - start;
    writer.reserve(PAIR_BYTES);
    writer.position = writePair(writer.bytes, writer.position, first - end, count);
    end = first + count;
  }
}

/** As `reader.zigzag()`, with the usual lengths of up to four bytes read in line. */
function nextZigzag(reader: WireReader): number {
  const { bytes, position } = reader;
  let at = position;
  let byte = bytes[at++] as number;
  let coded = byte & 127;
  if (byte > 127) {
    byte = bytes[at++] as number;
    coded |= (byte & 127) << 7;
    if (byte > 127) {
      byte = bytes[at++] as number;
      coded |= (byte & 127) << 14;
      if (byte > 127) {
        byte = bytes[at++] as number;
        coded |= (byte & 127) << 21;
      }
    }
  }
  // Longer ones, and those that run past their message.
  if (byte > 127 || at > reader.end) return reader.zigzag();
  reader.position = at;
  return (coded >>> 1) ^ -(coded & 1);
}

/** Reads runs up to `end` into `target`; returns how many values they hold, also those there was no room for. */
export function readRuns(reader: WireReader, end: number, target: Uint32Array): number {
  const { length } = target;
  let count = 0;
  let previous = 0;
  while (reader.position < end) {
    const first = previous + nextZigzag(reader);
    const size = nextZigzag(reader);
    checkRun(reader, first, size);
    const stop = Math.min(count + size, length) | 0;
    let next = first | 0;
    for (let index = count; index < stop; index++) {
      target[index] = next;
      next = (next + 1) | 0;
    }
    count += size;
    previous = first + size;
  }
  return count;
}

/** How many values the runs up to `end` hold; leaves the reader where it is. */
export function countRuns(reader: WireReader, end: number): number {
  const mark = reader.position;
  let count = 0;
  let previous = 0;
  while (reader.position < end) {
    const first = previous + reader.zigzag();
    const size = reader.zigzag();
    checkRun(reader, first, size);
    count += size;
    previous = first + size;
  }
  reader.position = mark;
  return count;
}

function checkRun(reader: WireReader, first: number, size: number): void {
  if (size < 1 || first < 0 || first + size - 1 > U32_MAX) {
    throw new WireError(`a run of ${size} numbers from ${first} is none of u32`, reader.position);
  }
}

/** Compares runs up to `end` with `value`. */
export function matchRuns(reader: WireReader, end: number, value: Uint32Array): boolean {
  const { length } = value;
  let index = 0;
  let previous = 0;
  while (reader.position < end) {
    const first = previous + reader.zigzag();
    const size = reader.zigzag();
    if (size < 1 || size > length - index) return false;
    for (let next = first; next < first + size; next++) {
      if (value[index++] !== next) return false;
    }
    previous = first + size;
  }
  return index === length;
}

/** Writes pairs [start, length, …], each start as its distance from the end of the range before. */
export function writeRanges(writer: WireWriter, value: Float64Array): void {
  const { length } = value;
  writer.reserve((length / 2) * PAIR_BYTES);
  const { bytes } = writer;
  let at = writer.position;
  let end = 0;
  for (let index = 0; index < length; index += 2) {
    const start = value[index] as number;
    const size = value[index + 1] as number;
    at = writePair(bytes, at, start - end, size);
    end = start + size;
  }
  writer.position = at;
}

/** Both numbers zigzag coded; the room is there. */
function writePair(bytes: Uint8Array, at: number, distance: number, size: number): number {
  const coded = distance < 0 ? -distance * 2 - 1 : distance * 2;
  return writeVarint(bytes, writeVarint(bytes, at, coded), size * 2);
}

/** Reads pairs up to `end` into `target`; returns how many numbers there were room for. */
export function readRanges(reader: WireReader, end: number, target: Float64Array): number {
  let count = 0;
  let previous = 0;
  while (reader.position < end && count + 1 < target.length) {
    const start = previous + reader.zigzag();
    const size = reader.zigzag();
    target[count++] = start;
    target[count++] = size;
    previous = start + size;
  }
  return count;
}

/** Compares pairs up to `end` with `value`. */
export function matchRanges(reader: WireReader, end: number, value: Float64Array): boolean {
  const { length } = value;
  let previous = 0;
  for (let index = 0; index < length; index += 2) {
    if (reader.position >= end) return false;
    const start = previous + nextZigzag(reader);
    const size = nextZigzag(reader);
    if (start !== value[index] || size !== value[index + 1]) return false;
    previous = start + size;
  }
  return reader.position === end;
}

/** What is wrong with pairs, or undefined. */
export function rangesProblem(value: Float64Array): string | undefined {
  const { length } = value;
  if (length % 2 !== 0) return `must hold pairs, got ${length} numbers`;
  for (let index = 0; index < length; index += 2) {
    const start = value[index] as number;
    const size = value[index + 1] as number;
    if (!(isWhole(start) && isWhole(size))) {
      return `must hold whole numbers of 0 or more, got ${isWhole(start) ? size : start}`;
    }
    if (start + size >= RANGE_LIMIT) return `must end below 2^52, got ${start + size}`;
  }
  return undefined;
}

function isWhole(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value);
}
