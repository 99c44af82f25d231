import { type ByteSource, fileSource, memorySource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import { Catalogue } from './catalogue.js';
import { crc32 } from './crc32.js';
import { TraceFormatError } from './errors.js';
import { FieldReader } from './field-reader.js';
import { DEFAULT_LIMITS, type TraceLimits } from './limits.js';
import {
  HALYARD_PROFILE,
  HEADER_METADATA_NAME,
  Opcode,
  RECORD_HEAD_BYTES,
  type TraceAttachment,
  type TraceChannel,
  type TraceMetadata,
  type TraceSchema,
  type TraceStatistics,
} from './mcap-records.js';
import { MessageCursor, type PassContext } from './message-cursor.js';
import { readLayout, type TraceLayout } from './open-trace.js';
import { readAttachmentHead, readMetadata } from './record-fields.js';
import { RecordWalker } from './record-walker.js';
import { readSummary, type Summary } from './summary-reader.js';

const SIDE_READ_AHEAD_BYTES = 4096;
/** Names of attachments are read up to this size. */
const ATTACHMENT_HEAD_BYTES = 64 * 1024;

export interface OpenTraceOptions {
  readonly limits?: Partial<TraceLimits>;
  /** What to do with a file whose end is missing: `refuse` (default), or `read` what is there. */
  readonly unfinished?: 'refuse' | 'read';
  /** The name that errors give to bytes in memory. */
  readonly name?: string;
}

export interface TraceInfo {
  readonly library: string;
  readonly profile: string;
  /** False if the end is missing and `unfinished: 'read'` was asked for. */
  readonly complete: boolean;
  readonly schemas: ReadonlyMap<number, TraceSchema>;
  readonly channels: ReadonlyMap<number, TraceChannel>;
  readonly metadata: readonly TraceMetadata[];
  readonly attachments: readonly TraceAttachment[];
  /** Undefined if the file has none. */
  readonly statistics: TraceStatistics | undefined;
  /** What could not be verified; a pass over the messages may add to it. */
  readonly warnings: readonly string[];
}

/**
 * Opens a trace and verifies what can be without reading its messages.
 * @param input a path, or the bytes of a file (not copied: leave them alone until `close`)
 * @throws TraceFormatError
 */
export function openTrace(input: string | Uint8Array, options: OpenTraceOptions = {}): TraceReader {
  const source =
    typeof input === 'string'
      ? fileSource(input)
      : memorySource(input, options.name ?? '(trace in memory)');
  try {
    return new TraceReader(source, options);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** An open trace; made by `openTrace`. */
export class TraceReader {
  readonly info: TraceInfo;
  readonly #source: ByteSource;
  readonly #limits: TraceLimits;
  readonly #layout: TraceLayout;
  readonly #strict: boolean;
  readonly #catalogue = new Catalogue();
  readonly #metadata: TraceMetadata[] = [];
  readonly #attachments: TraceAttachment[] = [];
  readonly #warnings: string[] = [];
  readonly #statistics: TraceStatistics | undefined;
  /** For single records here and there; small, since an index may point anywhere. */
  readonly #sideWindow: ByteWindow;
  #chargedBytes = 0;

  constructor(source: ByteSource, options: OpenTraceOptions) {
    this.#source = source;
    this.#sideWindow = new ByteWindow(source, SIDE_READ_AHEAD_BYTES);
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#layout = readLayout(source, this.#limits, options.unfinished === 'read');
    const { header, end } = this.#layout;
    this.#strict = header.profile === HALYARD_PROFILE;
    this.#checkHeaderCopy();
    this.#statistics = this.#loadSummary();
    if (end !== undefined && end.dataCrc === 0 && !this.#strict) {
      this.#warn('the data section has no CRC: damage outside of chunks cannot be noticed');
    }
    this.info = {
      library: header.library,
      profile: header.profile,
      complete: end !== undefined,
      schemas: this.#catalogue.schemas,
      channels: this.#catalogue.channels,
      metadata: this.#metadata,
      attachments: this.#attachments,
      statistics: this.#statistics,
      warnings: this.#warnings,
    };
  }

  /** A pass over the messages, of one channel if given. @throws RangeError for an unknown one. */
  messages(channelId?: number): MessageCursor {
    if (channelId !== undefined && !this.#catalogue.channels.has(channelId)) {
      throw new RangeError(`${this.#source.file} has no channel ${channelId}`);
    }
    return new MessageCursor(this.#pass(), channelId);
  }

  /** Reads everything and checks every checksum. @throws TraceFormatError at the first damage. */
  verify(): void {
    const cursor = this.messages();
    while (cursor.next());
    for (const attachment of this.#attachments) this.readAttachment(attachment);
  }

  /**
   * Checks every byte of the data section against its CRC, without unpacking anything; after a mismatch all is read, to
   * say where the damage is.
   * @throws TraceFormatError
   */
  verifyBytes(): void {
    const { end } = this.#layout;
    if (end === undefined || (end.dataCrc === 0 && !this.#strict)) return;
    const walker = new RecordWalker(this.#source, 0, end.dataEndAt);
    if (walker.crcThrough(end.dataEndAt) !== end.dataCrc) this.verify();
  }

  /** A copy of an attachment's data. @throws TraceFormatError if its CRC does not match. */
  readAttachment(attachment: TraceAttachment): Uint8Array {
    const walker = this.#recordAt(attachment.position, Opcode.attachment, 'attachment');
    const start = walker.content(this.#limits.maxRecordBytes);
    const fields = this.#fields(walker, start, 'attachment');
    const head = readAttachmentHead(fields, attachment.position);
    if (head.name !== attachment.name || head.sizeBytes !== attachment.sizeBytes) {
      throw fields.corrupt('it is not the one that the index names');
    }
    const data = fields.copy(head.sizeBytes);
    const actual = crc32(walker.bytes.subarray(start, fields.at));
    const expected = fields.u32();
    if (expected === 0 && !this.#strict) this.#warn('attachments without a CRC');
    else if (expected !== actual) throw fields.corrupt('its CRC does not match');
    return data;
  }

  close(): void {
    this.#source.close();
  }

  /** In our files the first metadata record repeats the Header, which MCAP leaves unprotected. */
  #checkHeaderCopy(): void {
    const { header, dataStart } = this.#layout;
    const { size } = this.#source;
    const walker = new RecordWalker(this.#source, dataStart, size, dataStart, this.#sideWindow);
    const found = walker.advance() && walker.opcode === Opcode.metadata;
    const record = found ? this.#metadataAt(walker) : undefined;
    if (record?.name !== HEADER_METADATA_NAME) {
      if (!this.#strict) return;
      if (!found && this.#layout.end === undefined && walker.position === walker.end) {
        throw walker.error('TRACE_TRUNCATED', 'the file ends before its first metadata record');
      }
      throw walker.error('TRACE_CORRUPT', 'the copy of the Header that should be here is missing');
    }
    const { entries } = record;
    const { profile, library } = header;
    if (entries.get('profile') !== profile || entries.get('library') !== library) {
      throw walker.error('TRACE_CORRUPT', 'the Header differs from its copy in the metadata');
    }
  }

  /** Fills catalogue, metadata and attachments, from the summary or else by reading it all. */
  #loadSummary(): TraceStatistics | undefined {
    const { end } = this.#layout;
    const summary =
      end?.summaryStart === undefined
        ? undefined
        : readSummary(this.#source, this.#limits, this.#catalogue, end, this.#strict, (bytes, at) =>
            this.#charge(bytes, at),
          );
    if (end !== undefined && end.summaryCrc === 0 && !this.#strict) {
      this.#warn('the summary has no CRC: damage in it cannot be noticed');
    }
    if (summary?.covers === true && this.#useIndexes(summary)) return summary.statistics;
    if (this.#strict && end !== undefined) {
      const reason = 'the summary lacks records that the statistics count';
      throw new TraceFormatError('TRACE_CORRUPT', this.#source.file, end.footerAt, reason);
    }
    this.#scan();
    return summary?.statistics;
  }

  /**
   * Takes metadata and attachments from where the summary says they are.
   * @returns false if it is wrong about that: @mcap/core 2.2 writes such files when it uses no
   *   chunks, and all of their data is sound.
   */
  #useIndexes(summary: Summary): boolean {
    try {
      for (const { offset, name } of summary.metadataIndexes) this.#indexedMetadata(offset, name);
      for (const { length, ...attachment } of summary.attachmentIndexes) {
        this.#recordAt(attachment.position, Opcode.attachment, 'attachment');
        this.#charge(length - attachment.sizeBytes, attachment.position);
        this.#attachments.push(attachment);
      }
      return true;
    } catch (error) {
      const corrupt = error instanceof TraceFormatError && error.code === 'TRACE_CORRUPT';
      if (this.#strict || !corrupt) throw error;
      this.#warn('the index of metadata and attachments is wrong; the file was searched instead');
      this.#metadata.length = 0;
      this.#attachments.length = 0;
      return false;
    }
  }

  #indexedMetadata(position: number, name: string): void {
    const walker = this.#recordAt(position, Opcode.metadata, 'metadata');
    const record = this.#metadataAt(walker);
    if (record.name !== name) throw walker.error('TRACE_CORRUPT', 'not the metadata indexed');
    this.#addMetadata(record, walker.contentLength);
  }

  #scan(): void {
    const cursor = new MessageCursor(
      {
        ...this.#pass(),
        onSideRecord: (walker) => this.#sideRecord(walker),
      },
      undefined,
    );
    while (cursor.next());
  }

  #sideRecord(walker: RecordWalker): void {
    if (walker.opcode === Opcode.metadata) {
      this.#addMetadata(this.#metadataAt(walker), walker.contentLength);
      return;
    }
    const length = Math.min(walker.contentLength, ATTACHMENT_HEAD_BYTES);
    const start = walker.contentStart(length, this.#limits.maxRecordBytes);
    const { file } = this.#source;
    const { position } = walker;
    const end = start + length;
    const fields = new FieldReader(walker.bytes, start, end, 'attachment', file, position);
    const head = readAttachmentHead(fields, position);
    const used = fields.at - start;
    if (walker.contentLength - used !== head.sizeBytes + 4) {
      throw fields.corrupt('its data has another size than it claims');
    }
    this.#charge(used, position);
    this.#attachments.push(head);
  }

  #addMetadata(record: TraceMetadata, bytes: number): void {
    this.#charge(bytes, record.position);
    this.#metadata.push(record);
  }

  #metadataAt(walker: RecordWalker): TraceMetadata {
    const start = walker.content(this.#limits.maxRecordBytes);
    return readMetadata(this.#fields(walker, start, 'metadata'), walker.position, this.#strict);
  }

  #recordAt(position: number, opcode: number, name: string): RecordWalker {
    const limit = this.#layout.end?.dataEndAt ?? this.#source.size;
    if (position < this.#layout.dataStart || position + RECORD_HEAD_BYTES > limit) {
      const reason = `the index puts a record of type ${name} outside of the data section`;
      throw new TraceFormatError('TRACE_CORRUPT', this.#source.file, position, reason);
    }
    const walker = new RecordWalker(this.#source, position, limit, position, this.#sideWindow);
    if (!walker.advance() || walker.opcode !== opcode) {
      throw walker.error('TRACE_CORRUPT', `the index puts a record of type ${name} here`);
    }
    return walker;
  }

  #fields(walker: RecordWalker, start: number, name: string): FieldReader {
    const end = start + walker.contentLength;
    return new FieldReader(walker.bytes, start, end, name, this.#source.file, walker.position);
  }

  #pass(): PassContext {
    const { end, dataStart } = this.#layout;
    return {
      source: this.#source,
      limits: this.#limits,
      catalogue: this.#catalogue,
      strict: this.#strict,
      dataStart,
      limit: end === undefined ? this.#source.size : end.dataEndAt + 13,
      dataEndAt: end?.dataEndAt,
      messageCount: this.#statistics?.messageCount,
      warn: (text) => this.#warn(text),
      charge: (bytes, position) => this.#charge(bytes, position),
    };
  }

  #charge(bytes: number, position: number): void {
    this.#chargedBytes += Math.max(bytes, 0);
    if (this.#chargedBytes > this.#limits.maxDefinitionBytes) {
      const reason = `schemas, channels and metadata take more than ${this.#limits.maxDefinitionBytes} bytes`;
      throw new TraceFormatError('TRACE_LIMIT', this.#source.file, position, reason);
    }
  }

  #warn(text: string): void {
    if (!this.#warnings.includes(text)) this.#warnings.push(text);
  }
}
