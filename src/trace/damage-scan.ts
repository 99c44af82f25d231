import type { ByteSource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import type { Catalogue } from './catalogue.js';
import { ChunkDecoder } from './chunk-decoder.js';
import { visitRecords } from './chunk-records.js';
import { crc32 } from './crc32.js';
import { TraceFormatError } from './errors.js';
import { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import { MESSAGE_FIXED_BYTES, Opcode, RECORD_HEAD_BYTES, TWO_POW_32 } from './mcap-records.js';
import { readAttachmentHead, readChannel, readMetadata, readSchema } from './record-fields.js';
import { findRecord, recordShape } from './record-shape.js';

export interface RepairDamage {
  /** Offset in the damaged file, in bytes. */
  readonly position: number;
  /** Bytes that were left out there. */
  readonly bytes: number;
  readonly reason: string;
  /** Turns lost with them, where the file still tells. */
  readonly turnsLost: number | undefined;
}

/** A record that passed every check. */
export interface IntactRecord {
  readonly position: number;
  readonly contentLength: number;
  readonly opcode: number;
}

/** Bytes that a search may check in vain, beside a multiple of the file's size. */
const WORK_BYTES = 64 * 1024 * 1024;
const WORK_FACTOR = 32;

/** Finds the intact records of a damaged data section, and what is between them. */
export class DamageScan {
  readonly intact: IntactRecord[] = [];
  readonly damages: RepairDamage[] = [];
  /** Where DataEnd was met. */
  dataEndAt: number | undefined;
  readonly #source: ByteSource;
  readonly #limits: TraceLimits;
  readonly #catalogue: Catalogue;
  readonly #limit: number;
  readonly #window: ByteWindow;
  readonly #decoder: ChunkDecoder;
  #workBytes: number;

  /** @param limit end of the bytes that can be data: DataEnd's place if it is known */
  constructor(source: ByteSource, limits: TraceLimits, catalogue: Catalogue, limit: number) {
    this.#source = source;
    this.#limits = limits;
    this.#catalogue = catalogue;
    this.#limit = limit;
    this.#window = new ByteWindow(source);
    this.#decoder = new ChunkDecoder(source.file, source.size, limits, true);
    this.#workBytes = WORK_BYTES + WORK_FACTOR * source.size;
  }

  /** Scans from `start` on; the time is linear in the size of the file. */
  run(start: number): void {
    let position = start;
    while (position < this.#limit) {
      const shape = recordShape(this.#window, position, this.#limit);
      if (shape?.opcode === Opcode.dataEnd) {
        this.dataEndAt = position;
        return;
      }
      const wrong =
        shape === undefined ? this.#unreadable(position) : this.#check(position, shape.opcode);
      if (wrong === undefined && shape !== undefined) {
        const contentLength = shape.end - position - RECORD_HEAD_BYTES;
        this.intact.push({ position, contentLength, opcode: shape.opcode });
        position = shape.end;
        continue;
      }
      const next = this.#resume(position, shape?.end);
      this.#damage(position, next, wrong ?? 'unreadable');
      position = next;
    }
  }

  /** What can be said about bytes that do not have a record's shape. */
  #unreadable(position: number): string {
    const left = this.#limit - position;
    if (left < RECORD_HEAD_BYTES) return 'the file ends within the head of a record';
    const at = this.#window.locate(position, RECORD_HEAD_BYTES);
    const { view } = this.#window;
    const length = view.getUint32(at + 1, true) + view.getUint32(at + 5, true) * TWO_POW_32;
    if (length > left - RECORD_HEAD_BYTES) {
      return `a record of ${length} bytes does not end before the file does`;
    }
    return 'these bytes are not a record';
  }

  /** Where to go on: after the damaged record if its length can be right, else at the next shape. */
  #resume(position: number, end: number | undefined): number {
    if (end === this.#limit) return end;
    if (end !== undefined && recordShape(this.#window, end, this.#limit) !== undefined) return end;
    return findRecord(this.#window, position + 1, this.#limit);
  }

  #damage(position: number, next: number, reason: string): void {
    const turnsLost = this.#turnsIndexedAt(next);
    const last = this.damages.at(-1);
    if (last !== undefined && last.position + last.bytes === position) {
      const turns = turnsLost ?? last.turnsLost;
      this.damages.splice(-1, 1, { ...last, bytes: next - last.position, turnsLost: turns });
    } else {
      this.damages.push({ position, bytes: next - position, reason, turnsLost });
    }
  }

  /** The message indexes that follow a lost chunk tell how many turns were in it. */
  #turnsIndexedAt(position: number): number | undefined {
    let turns: number | undefined;
    let at = position;
    for (;;) {
      const shape = recordShape(this.#window, at, this.#limit);
      if (shape?.opcode !== Opcode.messageIndex) return turns;
      turns = (turns ?? 0) + (shape.end - at - RECORD_HEAD_BYTES - 6) / 16;
      at = shape.end;
    }
  }

  /** @returns what is wrong with the record, if anything is. */
  #check(position: number, opcode: number): string | undefined {
    try {
      if (opcode === Opcode.chunk) this.#checkChunk(this.#load(position, 'chunk'), position);
      if (opcode === Opcode.metadata)
        readMetadata(this.#load(position, 'metadata'), position, true);
      if (opcode === Opcode.attachment) this.#checkAttachment(position);
      return undefined;
    } catch (error) {
      if (isDamage(error)) return error.reason;
      throw error;
    }
  }

  #checkChunk(fields: FieldReader, position: number): void {
    this.#decoder.decode(this.#window.bytes, fields, position);
    const { bytes, start, end } = this.#decoder;
    const { file } = this.#source;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const whole = visitRecords(bytes, start, end, (opcode, content, length) => {
      const inner = new FieldReader(bytes, content, content + length, 'record', file, position);
      if (opcode === Opcode.schema)
        this.#refuse(this.#catalogue.addSchema(readSchema(inner)), inner);
      else if (opcode === Opcode.channel) {
        this.#refuse(this.#catalogue.addChannel(readChannel(inner)), inner);
      } else if (opcode !== Opcode.message || length < MESSAGE_FIXED_BYTES) {
        throw inner.corrupt(`type ${opcode} with ${length} bytes cannot be in a chunk`);
      } else if (view.getUint32(content + 10, true) >= 1 << 21) {
        throw inner.corrupt('a log time is beyond 2^53');
      }
    });
    if (!whole) throw fields.corrupt('its records do not fit together');
  }

  #checkAttachment(position: number): void {
    const fields = this.#load(position, 'attachment');
    const start = fields.at;
    const head = readAttachmentHead(fields, position);
    fields.skip(head.sizeBytes);
    const actual = crc32(this.#window.bytes.subarray(start, fields.at));
    if (fields.u32() !== actual) throw fields.corrupt('its CRC does not match');
  }

  #refuse(wrong: string | undefined, fields: FieldReader): void {
    if (wrong !== undefined) throw fields.corrupt(wrong);
  }

  #load(position: number, name: string): FieldReader {
    const head = this.#window.locate(position, RECORD_HEAD_BYTES);
    const length = this.#window.view.getUint32(head + 1, true);
    const { file } = this.#source;
    if (length > 2 * this.#limits.maxRecordBytes) {
      throw new TraceFormatError('TRACE_CORRUPT', file, position, `${name}: ${length} bytes`);
    }
    this.#workBytes -= length;
    if (this.#workBytes < 0) {
      const reason = 'one of too many overlapping claims of records';
      throw new TraceFormatError('TRACE_LIMIT', file, position, reason);
    }
    const at = this.#window.locate(position, RECORD_HEAD_BYTES + length) + RECORD_HEAD_BYTES;
    return new FieldReader(this.#window.bytes, at, at + length, name, file, position);
  }
}

/** A size or a compression's name that makes no sense is damage too; a cause is the system's. */
function isDamage(error: unknown): error is TraceFormatError {
  return (
    error instanceof TraceFormatError &&
    error.cause === undefined &&
    (error.code === 'TRACE_CORRUPT' ||
      error.code === 'TRACE_LIMIT' ||
      error.code === 'TRACE_UNSUPPORTED')
  );
}
