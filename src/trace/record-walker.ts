import { crc32 } from 'node:zlib';
import type { ByteSource } from './byte-source.js';
import { type TraceFormatCode, TraceFormatError } from './errors.js';
import { RECORD_HEAD_BYTES, TWO_POW_32 } from './mcap-records.js';

const READ_AHEAD_BYTES = 512 * 1024;

/**
 * Walks over the records of a part of a file in order, through one window of it that is reused,
 * with a CRC over every byte passed. A record's content is loaded only when it is asked for.
 */
export class RecordWalker {
  readonly source: ByteSource;
  /** The window. */
  bytes: Uint8Array;
  view: DataView;
  /** Of the current record. */
  opcode = 0;
  /** Offset of the current record in the file. */
  position: number;
  contentLength = 0;
  readonly #limit: number;
  #base: number;
  #filled: number;
  #next: number;
  #crc = 0;
  #crcAt: number;

  /** @param crcFrom where the CRC begins, at or before `start` */
  constructor(source: ByteSource, start: number, limit: number, crcFrom = start) {
    this.source = source;
    this.position = start;
    this.#next = start;
    this.#limit = limit;
    this.#crcAt = crcFrom;
    const memory = source.memory;
    this.bytes = memory ?? new Uint8Array(Math.min(READ_AHEAD_BYTES, source.size));
    this.view = viewOf(this.bytes);
    this.#base = 0;
    this.#filled = memory === undefined ? 0 : memory.length;
  }

  /** Where the next record begins. */
  get end(): number {
    return this.#next;
  }

  /** True if no byte is left before the limit. */
  get done(): boolean {
    return this.#next === this.#limit;
  }

  /**
   * Moves to the next record.
   * @returns false if the bytes before the limit do not hold it whole.
   */
  advance(): boolean {
    const position = this.#next;
    this.position = position;
    if (this.#limit - position < RECORD_HEAD_BYTES) return false;
    const at = this.#locate(position, RECORD_HEAD_BYTES);
    this.opcode = this.bytes[at] as number;
    const high = this.view.getUint32(at + 5, true);
    this.contentLength = this.view.getUint32(at + 1, true) + high * TWO_POW_32;
    const end = position + RECORD_HEAD_BYTES + this.contentLength;
    if (end > this.#limit) return false;
    this.#next = end;
    return true;
  }

  /** Loads the current record's content; returns its index in `bytes`. */
  content(maxBytes: number): number {
    return this.contentStart(this.contentLength, maxBytes);
  }

  /** Loads the first `length` bytes of the current record's content. */
  contentStart(length: number, maxBytes: number): number {
    if (length > maxBytes) {
      throw this.error('TRACE_LIMIT', `a record of ${length} bytes; the limit is ${maxBytes}`);
    }
    return this.#locate(this.position, RECORD_HEAD_BYTES + length) + RECORD_HEAD_BYTES;
  }

  /** CRC-32 of everything from the start of the CRC up to `position`. */
  crcThrough(position: number): number {
    while (this.#crcAt < position) {
      const count = Math.min(position - this.#crcAt, READ_AHEAD_BYTES);
      if (!this.#holds(this.#crcAt, 1)) this.#fill(this.#crcAt, count);
      const from = this.#crcAt - this.#base;
      const to = Math.min(position - this.#base, this.#filled);
      this.#crc = crc32(this.bytes.subarray(from, to), this.#crc);
      this.#crcAt += to - from;
    }
    return this.#crc;
  }

  error(code: TraceFormatCode, reason: string): TraceFormatError {
    return new TraceFormatError(code, this.source.file, this.position, reason);
  }

  #locate(position: number, length: number): number {
    if (!this.#holds(position, length)) {
      this.crcThrough(position);
      this.#fill(position, length);
    }
    return position - this.#base;
  }

  #holds(position: number, length: number): boolean {
    return position >= this.#base && position + length <= this.#base + this.#filled;
  }

  /** Moves the window to `position`, keeping what it has of it already. */
  #fill(position: number, length: number): void {
    const wanted = Math.min(Math.max(length, READ_AHEAD_BYTES), this.source.size - position);
    const from = position - this.#base;
    const kept = from >= 0 && from < this.#filled ? this.#filled - from : 0;
    const previous = this.bytes;
    if (wanted > previous.length) {
      this.bytes = new Uint8Array(wanted);
      this.view = viewOf(this.bytes);
      if (kept > 0) this.bytes.set(previous.subarray(from, from + kept));
    } else if (kept > 0) {
      previous.copyWithin(0, from, from + kept);
    }
    this.#base = position;
    this.#filled = kept;
    this.source.read(position + kept, this.bytes, kept, wanted - kept);
    this.#filled = wanted;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
