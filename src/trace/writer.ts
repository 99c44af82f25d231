import { performance } from 'node:perf_hooks';
import { ByteBuilder } from './byte-builder.js';
import { ChunkBuffer } from './chunk-buffer.js';
import {
  appendChunkHead,
  appendChunkIndex,
  appendMessageIndexes,
  encodeChunk,
  type TraceCompression,
} from './chunk-encoder.js';
import { Definitions } from './definitions.js';
import { TraceWriteError } from './errors.js';
import {
  HALYARD_PROFILE,
  HEADER_METADATA_NAME,
  MAGIC,
  MESSAGE_OVERHEAD_BYTES,
  Opcode,
} from './mcap-records.js';
import { OutputFile, type OutputTarget } from './output-file.js';
import { writeAttachmentRecord, writeMetadataRecord } from './side-records.js';
import { writeSummary } from './summary-writer.js';
import { loadZstd } from './zstd.js';

export interface TraceWriterOptions extends OutputTarget {
  /** Name and version of the program that writes, for the Header. */
  readonly library: string;
  readonly compression: TraceCompression;
  /** Uncompressed size at which a chunk is ended; 256 KiB. */
  readonly chunkBytes?: number;
  /** Told of the one write error; without it the call that met the error throws it. */
  readonly onError?: (error: TraceWriteError) => void;
  /** Monotonic milliseconds, for `pendingSinceMs`; `performance.now` unless replaced. */
  readonly nowMs?: () => number;
}

const DEFAULT_CHUNK_BYTES = 256 * 1024;
const MAX_CHUNK_BYTES = 32 * 1024 * 1024;
/** Half of what the reader accepts for a chunk. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/**
 * Writes one MCAP file, synchronously. After a write error (`failed`) every call does nothing:
 * the recording is over, the program that is being recorded is not.
 */
export class TraceWriter {
  readonly #output: OutputFile;
  readonly #compression: TraceCompression;
  readonly #chunkBytes: number;
  readonly #onError: ((error: TraceWriteError) => void) | undefined;
  readonly #nowMs: () => number;
  readonly #chunk: ChunkBuffer;
  readonly #definitions = new Definitions();
  readonly #build = new ByteBuilder(4096);
  readonly #chunkIndexes = new ByteBuilder(4096);
  readonly #metadataIndexes = new ByteBuilder();
  readonly #attachmentIndexes = new ByteBuilder();
  /** By channel: 1 + number of the chunk that has its definition. */
  #definedIn = new Float64Array(16);
  #pendingSinceMs: number | undefined;
  #failed: TraceWriteError | undefined;
  #closed = false;
  #chunkCount = 0;
  #chunkedBytes = 0;
  #metadataCount = 0;
  #attachmentCount = 0;
  #messageCount = 0;
  #startTimeNs = 0;
  #endTimeNs = 0;

  /** @throws TraceWriteError if the file cannot be opened (or written, without `onError`). */
  constructor(options: TraceWriterOptions) {
    const chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    if (!Number.isInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > MAX_CHUNK_BYTES) {
      throw new RangeError(`chunkBytes is ${chunkBytes}; give 1 to ${MAX_CHUNK_BYTES}`);
    }
    this.#chunkBytes = chunkBytes;
    this.#compression = options.compression;
    this.#onError = options.onError;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#chunk = new ChunkBuffer(chunkBytes);
    if (options.compression === 'zstd') loadZstd();
    this.#output = new OutputFile(options);
    this.#attempt(() => this.#writeHeader(options.library));
  }

  /** The write error that ended the recording, if there was one. */
  get failed(): TraceWriteError | undefined {
    return this.#failed;
  }

  /** Bytes in the file so far. */
  get writtenBytes(): number {
    return this.#output.position;
  }

  get messageCount(): number {
    return this.#messageCount;
  }

  /** When the oldest message that is not yet in the file came, in `nowMs` time. */
  get pendingSinceMs(): number | undefined {
    return this.#pendingSinceMs;
  }

  /** @returns the schema's id, from 1. */
  addSchema(name: string, encoding: string, data: Uint8Array): number {
    return this.#definitions.addSchema(name, encoding, data);
  }

  /** @returns the channel's id, from 0; `schemaId` 0 means none. */
  addChannel(
    topic: string,
    schemaId: number,
    messageEncoding: string,
    metadata: Readonly<Record<string, string>> = {},
  ): number {
    const entries = Object.entries(metadata);
    const id = this.#definitions.addChannel(topic, schemaId, messageEncoding, entries);
    this.#growDefinedIn(id);
    return id;
  }

  /**
   * Adds one message; the payload's bytes from `start` to `end` are copied at once.
   * @param sequence unsigned, 32 bits
   * @param logTimeNs integer from 0 up to 2^53
   * @throws RangeError for an argument out of range; TraceWriteError once, see `onError`.
   */
  writeMessage(
    channelId: number,
    sequence: number,
    logTimeNs: number,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#failed !== undefined) return;
    if (sequence >>> 0 !== sequence) throw new RangeError(`sequence ${sequence} is not a u32`);
    if (!Number.isSafeInteger(logTimeNs) || logTimeNs < 0) {
      throw new RangeError(`log time ${logTimeNs} ns is not an integer from 0 to 2^53`);
    }
    if (!(start >= 0 && start <= end && end <= payload.length)) {
      throw new RangeError(`payload ${start}..${end} is outside its ${payload.length} bytes`);
    }
    if (!this.#prepare(channelId, end - start + MESSAGE_OVERHEAD_BYTES)) return;
    this.#chunk.addMessage(channelId, sequence, logTimeNs, payload, start, end);
    this.#noted(channelId, logTimeNs);
  }

  /**
   * Adds a whole message record as it stood in another file, with another channel id; both its
   * times are kept.
   */
  copyMessage(channelId: number, logTimeNs: number, record: Uint8Array): void {
    if (this.#failed !== undefined) return;
    if (!this.#prepare(channelId, record.length)) return;
    this.#chunk.addMessageRecord(channelId, logTimeNs, record);
    this.#noted(channelId, logTimeNs);
  }

  /** Writes a metadata record with a checksum entry added. Ends the chunk first. */
  writeMetadata(name: string, entries: Readonly<Record<string, string>>): void {
    this.flush();
    if (this.#failed === undefined) this.#attempt(() => this.#metadata(name, entries));
  }

  /** Writes an attachment. Ends the chunk first. */
  writeAttachment(name: string, mediaType: string, bytes: Uint8Array): void {
    this.flush();
    if (this.#failed === undefined) this.#attempt(() => this.#attachment(name, mediaType, bytes));
  }

  /** Ends the chunk and writes it, so that it outlives the process. */
  flush(): void {
    this.#assertOpen();
    if (this.#failed !== undefined || this.#chunk.length === 0) return;
    this.#attempt(() => this.#writeChunk());
  }

  /**
   * Flushes if a message has waited for `maxAgeMs` or longer; for a caller with a timer.
   * @returns whether a chunk was ended.
   */
  maybeFlush(nowMs: number, maxAgeMs: number): boolean {
    if (this.#pendingSinceMs === undefined || nowMs - this.#pendingSinceMs < maxAgeMs) return false;
    this.flush();
    return true;
  }

  /** Writes the summary and the end of the file; a second call does nothing. */
  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
      if (this.#failed === undefined) this.#attempt(() => this.#writeEnd());
    } finally {
      this.#closed = true;
      if (this.#failed === undefined) this.#attempt(() => this.#output.close());
      else this.#closeAfterFailure();
    }
  }

  /** Makes room in the chunk and defines the channel in it; false once writing has failed. */
  #prepare(channelId: number, bytes: number): boolean {
    this.#assertOpen();
    if (bytes > MAX_MESSAGE_BYTES) {
      throw new RangeError(`a message of ${bytes} bytes; the limit is ${MAX_MESSAGE_BYTES}`);
    }
    const used = this.#chunk.length;
    if (used > 0 && used + bytes > this.#chunkBytes) this.flush();
    if (this.#failed !== undefined) return false;
    if (this.#definedIn[channelId] !== this.#chunkCount + 1) this.#define(channelId);
    return true;
  }

  #define(channelId: number): void {
    for (const record of this.#definitions.due(channelId, this.#chunkedBytes)) {
      this.#chunk.addRecord(record);
    }
    this.#definedIn[channelId] = this.#chunkCount + 1;
  }

  #noted(channelId: number, logTimeNs: number): void {
    this.#definitions.count(channelId);
    if (this.#messageCount === 0 || logTimeNs < this.#startTimeNs) this.#startTimeNs = logTimeNs;
    if (this.#messageCount === 0 || logTimeNs > this.#endTimeNs) this.#endTimeNs = logTimeNs;
    this.#messageCount += 1;
    this.#pendingSinceMs ??= this.#nowMs();
  }

  #writeHeader(library: string): void {
    const build = this.#build;
    build.clear();
    build.raw(MAGIC as Uint8Array);
    const mark = build.beginRecord(Opcode.header);
    build.string(HALYARD_PROFILE);
    build.string(library);
    build.endRecord(mark);
    this.#output.write(build.bytes);
    this.#metadata(HEADER_METADATA_NAME, { profile: HALYARD_PROFILE, library });
  }

  #writeChunk(): void {
    const buffer = this.#chunk;
    const encoded = encodeChunk(buffer, this.#compression);
    const position = this.#output.position;
    const build = this.#build;
    build.clear();
    appendChunkHead(build, buffer, encoded);
    const bytes = build.length + encoded.records.length;
    this.#output.write(build.bytes);
    this.#output.write(encoded.records);
    build.clear();
    const indexes = appendMessageIndexes(build, buffer);
    this.#output.write(build.bytes);
    const place = { position, bytes, indexes, indexBytes: build.length };
    appendChunkIndex(this.#chunkIndexes, buffer, encoded, place);
    this.#chunkCount += 1;
    this.#chunkedBytes += buffer.length;
    this.#pendingSinceMs = undefined;
    buffer.clear();
  }

  #metadata(name: string, entries: Readonly<Record<string, string>>): void {
    writeMetadataRecord(this.#output, this.#metadataIndexes, name, entries);
    this.#metadataCount += 1;
  }

  #attachment(name: string, mediaType: string, bytes: Uint8Array): void {
    const timeNs = this.#endTimeNs;
    writeAttachmentRecord(this.#output, this.#attachmentIndexes, name, mediaType, bytes, timeNs);
    this.#attachmentCount += 1;
  }

  #writeEnd(): void {
    writeSummary(this.#output, {
      definitions: this.#definitions,
      chunkIndexes: this.#chunkIndexes,
      metadataIndexes: this.#metadataIndexes,
      attachmentIndexes: this.#attachmentIndexes,
      messageCount: this.#messageCount,
      chunkCount: this.#chunkCount,
      metadataCount: this.#metadataCount,
      attachmentCount: this.#attachmentCount,
      startTimeNs: this.#startTimeNs,
      endTimeNs: this.#endTimeNs,
    });
  }

  /** Runs a step that writes; its failure ends the recording and is told once. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof TraceWriteError)) throw error;
      this.#failed = error;
      this.#pendingSinceMs = undefined;
      this.#chunk.clear();
      if (this.#onError === undefined) throw error;
      this.#onError(error);
    }
  }

  #closeAfterFailure(): void {
    try {
      this.#output.close();
    } catch {
      // The failure that matters has been told already.
    }
  }

  #growDefinedIn(channelId: number): void {
    if (channelId < this.#definedIn.length) return;
    const grown = new Float64Array(this.#definedIn.length * 2);
    grown.set(this.#definedIn);
    this.#definedIn = grown;
  }

  #assertOpen(): void {
    if (this.#closed) throw new TypeError('the trace writer is closed');
  }
}
