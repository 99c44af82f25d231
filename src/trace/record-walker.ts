import type { ByteSource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import { crc32 } from './crc32.js';
import { type TraceFormatCode, TraceFormatError } from './errors.js';
import { RECORD_HEAD_BYTES, TWO_POW_32 } from './mcap-records.js';

/**
 * Walks over the records of a part of a file in order, through one window that is reused, with a
 * CRC over every byte passed. A record's content is loaded only when it is asked for.
 */
export class RecordWalker {
  readonly source: ByteSource;
  /** Of the current record. */
  opcode = 0;
  /** Offset of the current record in the file. */
  position: number;
  contentLength = 0;
  readonly #window: ByteWindow;
  readonly #limit: number;
  #next: number;
  #crc = 0;
  #crcAt: number;

  /**
   * @param crcFrom where the CRC begins, at or before `start`
   * @param window to share between short walks
   */
  constructor(
    source: ByteSource,
    start: number,
    limit: number,
    crcFrom = start,
    window = new ByteWindow(source),
  ) {
    this.source = source;
    this.position = start;
    this.#next = start;
    this.#limit = limit;
    this.#crcAt = crcFrom;
    this.#window = window;
  }

  /** The bytes that `content` gives an index into. */
  get bytes(): Uint8Array {
    return this.#window.bytes;
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
    const { view } = this.#window;
    this.opcode = view.getUint8(at);
    this.contentLength = view.getUint32(at + 1, true) + view.getUint32(at + 5, true) * TWO_POW_32;
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
    const window = this.#window;
    while (this.#crcAt < position) {
      const from = window.locate(this.#crcAt, 1);
      const to = from + Math.min(position, window.end) - this.#crcAt;
      this.#crc = crc32(window.bytes.subarray(from, to), this.#crc);
      this.#crcAt += to - from;
    }
    return this.#crc;
  }

  error(code: TraceFormatCode, reason: string): TraceFormatError {
    return new TraceFormatError(code, this.source.file, this.position, reason);
  }

  #locate(position: number, length: number): number {
    if (!this.#window.holds(position, length)) this.crcThrough(position);
    return this.#window.locate(position, length);
  }
}
