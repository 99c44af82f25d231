import { crc32 } from './crc32.js';
import { type TraceFormatCode, TraceFormatError } from './errors.js';
import type { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import { type ChunkHead, readChunkHead } from './record-fields.js';
import { zstdDecompress } from './zstd.js';

/**
 * Unpacks chunks, one at a time, into a buffer that is reused. Each chunk's size and CRC are
 * checked; the sum of all sizes is bounded.
 */
export class ChunkDecoder {
  /** Where the records of the present chunk are. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Chunks met that have no CRC. */
  withoutCrc = 0;
  readonly #file: string;
  readonly #limits: TraceLimits;
  readonly #strict: boolean;
  #budget: number;
  #buffer = new Uint8Array(0);

  /** @param strict a CRC of zero is a claim like any other, not "none" */
  constructor(file: string, fileSize: number, limits: TraceLimits, strict: boolean) {
    this.#file = file;
    this.#limits = limits;
    this.#strict = strict;
    this.#budget = limits.maxUncompressedBytes + limits.maxExpansion * fileSize;
  }

  /** Unpacks the Chunk record whose content `fields` reads from `bytes`. */
  decode(bytes: Uint8Array, fields: FieldReader, position: number): ChunkHead {
    const head = readChunkHead(fields);
    if (head.recordsBytes !== fields.remaining) {
      throw fields.corrupt(
        `claims ${head.recordsBytes} bytes of records where ${fields.remaining} are`,
      );
    }
    this.#checkSize(head, position);
    const from = fields.at;
    const packed = bytes.subarray(from, from + head.recordsBytes);
    if (head.compression === '') this.#plain(head, bytes, from, position);
    else this.#unpack(head, packed, position);
    this.#checkCrc(head, position);
    return head;
  }

  #checkSize(head: ChunkHead, position: number): void {
    const size = head.uncompressedSize;
    const max = this.#limits.maxChunkBytes;
    if (size > max) {
      throw this.#error('TRACE_LIMIT', position, `claims ${size} bytes; the limit is ${max}`);
    }
    this.#budget -= size;
    if (this.#budget < 0) {
      const reason = 'the chunks together expand too far for the size of the file';
      throw this.#error('TRACE_LIMIT', position, reason);
    }
  }

  #plain(head: ChunkHead, bytes: Uint8Array, from: number, position: number): void {
    if (head.uncompressedSize !== head.recordsBytes) {
      const reason = `is not compressed, yet claims ${head.uncompressedSize} bytes for ${head.recordsBytes}`;
      throw this.#error('TRACE_CORRUPT', position, reason);
    }
    this.bytes = bytes;
    this.start = from;
    this.end = from + head.recordsBytes;
  }

  #unpack(head: ChunkHead, packed: Uint8Array, position: number): void {
    if (head.compression !== 'zstd') {
      const reason = `compression ${JSON.stringify(head.compression.slice(0, 32))} is not supported; convert the file to zstd`;
      throw this.#error('TRACE_UNSUPPORTED', position, reason);
    }
    const size = head.uncompressedSize;
    if (this.#buffer.length < size) this.#buffer = new Uint8Array(size);
    const actual = this.#decompress(packed, size, position);
    if (actual !== size) {
      const found = actual < 0 ? 'does not decompress' : `decompresses to ${actual} bytes`;
      throw this.#error('TRACE_CORRUPT', position, `${found}, yet claims ${size}`);
    }
    this.bytes = this.#buffer;
    this.start = 0;
    this.end = size;
  }

  #decompress(packed: Uint8Array, size: number, position: number): number {
    try {
      return zstdDecompress(packed, size, this.#buffer);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw this.#error('TRACE_UNSUPPORTED', position, reason, { cause });
    }
  }

  #checkCrc(head: ChunkHead, position: number): void {
    if (head.crc === 0 && !this.#strict) {
      if (this.start !== this.end) this.withoutCrc += 1;
      return;
    }
    const actual = crc32(this.bytes.subarray(this.start, this.end));
    if (actual !== head.crc) {
      const reason = `CRC mismatch: ${hex(head.crc)} stands in the file, its data has ${hex(actual)}`;
      throw this.#error('TRACE_CORRUPT', position, reason);
    }
  }

  #error(
    code: TraceFormatCode,
    position: number,
    reason: string,
    options?: ErrorOptions,
  ): TraceFormatError {
    return new TraceFormatError(code, this.#file, position, `chunk: ${reason}`, options);
  }
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}
