import type { ByteSource } from './byte-source.js';
import type { Catalogue } from './catalogue.js';
import { ChunkDecoder } from './chunk-decoder.js';
import { TraceFormatError } from './errors.js';
import { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import {
  MESSAGE_FIXED_BYTES,
  MESSAGE_OVERHEAD_BYTES,
  Opcode,
  RECORD_HEAD_BYTES,
  TWO_POW_32,
} from './mcap-records.js';
import { readChannel, readSchema } from './record-fields.js';
import { ShapeCheck } from './record-shape.js';
import { RecordWalker } from './record-walker.js';

/** What a pass over the data section has to know about the file. */
export interface PassContext {
  readonly source: ByteSource;
  readonly limits: TraceLimits;
  readonly catalogue: Catalogue;
  /** All checksums are mandatory (profile "halyard"). */
  readonly strict: boolean;
  /** Where the first record after the Header begins. */
  readonly dataStart: number;
  /** End of the bytes that may belong to the data section. */
  readonly limit: number;
  /** Where DataEnd must stand; undefined where the file has no end. */
  readonly dataEndAt: number | undefined;
  /** From the statistics, to be confirmed by a whole pass. */
  readonly messageCount: number | undefined;
  warn(text: string): void;
  /** Charges bytes of definitions held in memory. @throws TraceFormatError */
  charge(bytes: number, position: number): void;
  /** Told of the records beside messages, during the first scan of a file without a summary. */
  readonly onSideRecord?: (walker: RecordWalker) => void;
}

/**
 * Goes over the messages of a file in the order of the file. After `next()` returned true its
 * fields describe one message, until the next call. Every chunk's CRC is verified on the way and
 * the CRC of the whole data section at its end: `next()` returns false only if all was right.
 */
export class MessageCursor {
  /** The payload is `buffer` from `start` to `end`; it is overwritten later, so copy to keep. */
  buffer: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  channelId = 0;
  sequence = 0;
  /** Beyond 2^53 (files of other writers) only as exact as a double. */
  logTimeNs = 0;
  /** Where an unfinished file stops; undefined if it has its end, or this was not reached. */
  truncatedAt: number | undefined;
  readonly #pass: PassContext;
  readonly #walker: RecordWalker;
  readonly #decoder: ChunkDecoder;
  /** Only for an unfinished file, which has no CRC over all of its data. */
  readonly #shapes: ShapeCheck | undefined;
  /** Channel wanted, or -1 for all. */
  readonly #only: number;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #limit = 0;
  #count = 0;
  #finished = false;

  constructor(pass: PassContext, channelId: number | undefined) {
    const { source } = pass;
    this.#pass = pass;
    this.#only = channelId ?? -1;
    this.#walker = new RecordWalker(source, pass.dataStart, pass.limit, 0);
    const unfinished = pass.dataEndAt === undefined && pass.strict;
    this.#shapes = unfinished ? new ShapeCheck(source, pass.limit) : undefined;
    this.#decoder = new ChunkDecoder(source.file, source.size, pass.limits, pass.strict);
  }

  /** Offset in the file of the record (chunk or message) that the present message is in. */
  get position(): number {
    return this.#walker.position;
  }

  /** Messages passed so far, of every channel. */
  get messageCount(): number {
    return this.#count;
  }

  /** The whole message record, head and fixed fields included, as a view. */
  get record(): Uint8Array {
    return this.buffer.subarray(this.start - MESSAGE_OVERHEAD_BYTES, this.end);
  }

  /**
   * Moves to the next message.
   * @returns false at the end of the trace.
   * @throws TraceFormatError at the first damage.
   */
  next(): boolean {
    const { catalogue } = this.#pass;
    for (;;) {
      while (this.#at < this.#limit) {
        const at = this.#at;
        if (this.#limit - at < RECORD_HEAD_BYTES) throw this.#corrupt('a record is cut short');
        const view = this.#view;
        const opcode = view.getUint8(at);
        const length = view.getUint32(at + 1, true);
        const content = at + RECORD_HEAD_BYTES;
        if (view.getUint32(at + 5, true) !== 0 || length > this.#limit - content) {
          throw this.#corrupt('a record goes beyond the end of its chunk');
        }
        this.#at = content + length;
        if (opcode !== Opcode.message) {
          this.#define(opcode, content, length);
          continue;
        }
        if (length < MESSAGE_FIXED_BYTES) throw this.#corrupt('a message is too short');
        const channelId = view.getUint16(content, true);
        if (catalogue.known[channelId] !== 1) {
          throw this.#corrupt(`a message of channel ${channelId}, which is not defined before it`);
        }
        this.#count += 1;
        if (this.#only >= 0 && channelId !== this.#only) continue;
        this.channelId = channelId;
        this.sequence = view.getUint32(content + 2, true);
        this.logTimeNs =
          view.getUint32(content + 6, true) + view.getUint32(content + 10, true) * TWO_POW_32;
        this.start = content + MESSAGE_FIXED_BYTES;
        this.end = content + length;
        return true;
      }
      if (!this.#nextBlock()) return false;
    }
  }

  /** Finds the next chunk, or message outside of chunks; false at the end of the data section. */
  #nextBlock(): boolean {
    if (this.#finished) return false;
    const walker = this.#walker;
    for (;;) {
      if (!walker.advance()) return this.#cut();
      this.#shapes?.check(walker);
      switch (walker.opcode) {
        case Opcode.chunk:
          this.#openChunk();
          return true;
        case Opcode.message:
        case Opcode.schema:
        case Opcode.channel:
          this.#openRecord();
          return true;
        case Opcode.messageIndex:
          break;
        case Opcode.attachment:
        case Opcode.metadata:
          this.#pass.onSideRecord?.(walker);
          break;
        case Opcode.dataEnd:
          this.#finish();
          return false;
        default:
          this.#skipUnknown(walker.opcode);
      }
    }
  }

  #openChunk(): void {
    const walker = this.#walker;
    const { limits, source } = this.#pass;
    const start = walker.content(limits.maxChunkBytes + limits.maxChunkBytes / 128 + 1024);
    const end = start + walker.contentLength;
    const { position } = walker;
    const fields = new FieldReader(walker.bytes, start, end, 'chunk', source.file, position);
    this.#decoder.decode(walker.bytes, fields, position);
    if (this.#decoder.withoutCrc > 0) {
      this.#pass.warn('chunks without a CRC: damage inside them cannot be noticed');
    }
    this.#block(this.#decoder.bytes, this.#decoder.start, this.#decoder.end);
  }

  #openRecord(): void {
    const walker = this.#walker;
    const start = walker.content(this.#pass.limits.maxRecordBytes);
    this.#block(walker.bytes, start - RECORD_HEAD_BYTES, start + walker.contentLength);
  }

  #block(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.buffer) {
      this.buffer = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#at = start;
    this.#limit = end;
  }

  #define(opcode: number, content: number, length: number): void {
    const { catalogue, source } = this.#pass;
    if (opcode !== Opcode.schema && opcode !== Opcode.channel) {
      if (opcode > Opcode.dataEnd) return;
      throw this.#corrupt(`a record of type ${opcode} does not belong into a chunk`);
    }
    const schema = opcode === Opcode.schema;
    const name = schema ? 'schema' : 'channel';
    const { position } = this.#walker;
    const end = content + length;
    const fields = new FieldReader(this.buffer, content, end, name, source.file, position);
    const before = catalogue.schemas.size + catalogue.channels.size;
    const wrong = schema
      ? catalogue.addSchema(readSchema(fields))
      : catalogue.addChannel(readChannel(fields));
    if (wrong !== undefined) throw this.#corrupt(wrong);
    const after = catalogue.schemas.size + catalogue.channels.size;
    if (after > before) this.#pass.charge(length, position);
  }

  #skipUnknown(opcode: number): void {
    // Opcodes above the known ones are private or of the future: the specification says to skip.
    if (opcode > Opcode.dataEnd) return;
    throw this.#corrupt(`a record of type ${opcode} does not belong into the data section`);
  }

  /** The bytes end before a whole record: damage, unless an unfinished file is being read. */
  #cut(): boolean {
    const walker = this.#walker;
    const truncated = this.#pass.limit;
    if (this.#pass.dataEndAt !== undefined) {
      throw this.#corrupt('a record goes beyond the end of the data section');
    }
    this.#shapes?.checkTail(walker);
    this.#finished = true;
    this.truncatedAt = walker.position;
    const lost = truncated - walker.position;
    this.#pass.warn(
      `the file ends without its end at byte ${truncated}: ${this.#count} messages read, ` +
        `${lost} bytes of an unfinished record left over`,
    );
    return false;
  }

  #finish(): void {
    const { dataEndAt, messageCount, source, strict } = this.#pass;
    const walker = this.#walker;
    this.#finished = true;
    if (dataEndAt !== undefined && walker.position !== dataEndAt) {
      throw this.#corrupt(`the data section ends here, but its end should be at ${dataEndAt}`);
    }
    if (walker.contentLength !== 4) throw this.#corrupt('DataEnd has a wrong length');
    const start = walker.content(4);
    const { file } = source;
    const expected = new FieldReader(walker.bytes, start, start + 4, 'data end', file, 0).u32();
    const actual = walker.crcThrough(walker.position);
    if (actual !== expected && (expected !== 0 || strict)) {
      throw this.#corrupt('the CRC of the data section does not match: some byte before changed');
    }
    if (messageCount !== undefined && messageCount !== this.#count) {
      throw this.#corrupt(`${this.#count} messages where the statistics count ${messageCount}`);
    }
  }

  #corrupt(reason: string): TraceFormatError {
    const { position, source } = this.#walker;
    return new TraceFormatError('TRACE_CORRUPT', source.file, position, reason);
  }
}
