import type { ByteSource } from './byte-source.js';
import { type TraceFormatCode, TraceFormatError } from './errors.js';
import { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import {
  DATA_END_RECORD_BYTES,
  FOOTER_RECORD_BYTES,
  MAGIC,
  Opcode,
  RECORD_HEAD_BYTES,
  type TraceHeader,
} from './mcap-records.js';
import { readHeader } from './record-fields.js';
import { RecordWalker } from './record-walker.js';

/** Where the parts of a file are. */
export interface TraceLayout {
  readonly header: TraceHeader;
  readonly dataStart: number;
  /** Undefined where the file has no end. */
  readonly end: TraceEnd | undefined;
}

export interface TraceEnd {
  readonly dataEndAt: number;
  readonly dataCrc: number;
  /** Undefined if there is no summary. */
  readonly summaryStart: number | undefined;
  readonly footerAt: number;
  readonly summaryCrc: number;
}

/** Checks both magics, Header, DataEnd and Footer. @throws TraceFormatError */
export function readLayout(
  source: ByteSource,
  limits: TraceLimits,
  acceptUnfinished: boolean,
): TraceLayout {
  checkMagic(source);
  const { header, dataStart } = readHeaderRecord(source, limits);
  const unfinished = acceptUnfinished && !endsWithMagic(source, dataStart);
  return { header, dataStart, end: unfinished ? undefined : readEnd(source, dataStart) };
}

/** Reads the Header, wherever the magic before it is right or not. @throws TraceFormatError */
export function readHeaderRecord(
  source: ByteSource,
  limits: TraceLimits,
): { readonly header: TraceHeader; readonly dataStart: number } {
  const walker = new RecordWalker(source, MAGIC.length, source.size);
  if (!walker.advance()) {
    throw fail(source, 'TRACE_TRUNCATED', MAGIC.length, 'the file ends before its Header');
  }
  if (walker.opcode !== Opcode.header) {
    throw fail(source, 'TRACE_CORRUPT', MAGIC.length, 'the first record is not a Header');
  }
  const start = walker.content(limits.maxRecordBytes);
  const end = start + walker.contentLength;
  const { file } = source;
  const fields = new FieldReader(walker.bytes, start, end, 'header', file, MAGIC.length);
  return { header: readHeader(fields), dataStart: walker.end };
}

export function startsWithMagic(source: ByteSource): boolean {
  return magicAt(source, 0);
}

function checkMagic(source: ByteSource): void {
  if (source.size === 0) throw fail(source, 'TRACE_EMPTY', 0, 'the file is empty');
  const size = Math.min(source.size, MAGIC.length);
  const found = new Uint8Array(size);
  source.read(0, found, 0, size);
  if (!found.every((byte, i) => byte === MAGIC[i])) {
    throw fail(source, 'TRACE_FOREIGN', 0, 'not a trace: it does not begin with the MCAP magic');
  }
  if (size < MAGIC.length) {
    throw fail(source, 'TRACE_TRUNCATED', size, 'the file ends within the MCAP magic');
  }
}

function endsWithMagic(source: ByteSource, dataStart: number): boolean {
  const smallest = dataStart + DATA_END_RECORD_BYTES + FOOTER_RECORD_BYTES + MAGIC.length;
  return source.size >= smallest && magicAt(source, source.size - MAGIC.length);
}

function magicAt(source: ByteSource, position: number): boolean {
  if (position + MAGIC.length > source.size) return false;
  const found = new Uint8Array(MAGIC.length);
  source.read(position, found, 0, MAGIC.length);
  return found.every((byte, i) => byte === MAGIC[i]);
}

/** Reads Footer and DataEnd. @throws TraceFormatError TRACE_TRUNCATED if they are missing */
export function readEnd(source: ByteSource, dataStart: number): TraceEnd {
  if (!endsWithMagic(source, dataStart)) {
    const reason =
      'the end of the trace is missing: the recorder was killed or the copy is incomplete; ' +
      'repair the file to get what it holds';
    throw fail(source, 'TRACE_TRUNCATED', source.size, reason);
  }
  const footerAt = source.size - MAGIC.length - FOOTER_RECORD_BYTES;
  const footer = fixedRecord(source, footerAt, Opcode.footer, 20, 'footer');
  const start = footer.u64();
  const offsetStart = footer.u64();
  const summaryCrc = footer.u32();
  const summaryStart = start === 0 ? undefined : start;
  const dataEndAt = (summaryStart ?? footerAt) - DATA_END_RECORD_BYTES;
  if (dataEndAt < dataStart || (summaryStart ?? 0) > footerAt) {
    throw footer.corrupt(`the summary cannot start at byte ${start}`);
  }
  if (offsetStart !== 0 && (offsetStart < start || offsetStart > footerAt)) {
    throw footer.corrupt(`the summary offsets cannot start at byte ${offsetStart}`);
  }
  const dataEnd = fixedRecord(source, dataEndAt, Opcode.dataEnd, 4, 'data end');
  return { dataEndAt, dataCrc: dataEnd.u32(), summaryStart, footerAt, summaryCrc };
}

/** A record of known size at a known place. */
function fixedRecord(
  source: ByteSource,
  position: number,
  opcode: number,
  length: number,
  name: string,
): FieldReader {
  const bytes = new Uint8Array(RECORD_HEAD_BYTES + length);
  source.read(position, bytes, 0, bytes.length);
  const head = new FieldReader(bytes, 0, bytes.length, name, source.file, position);
  head.skip(1);
  if (bytes[0] !== opcode || head.u64() !== length) {
    throw head.corrupt('no such record where it should be');
  }
  return head;
}

function fail(
  source: ByteSource,
  code: TraceFormatCode,
  position: number,
  reason: string,
): TraceFormatError {
  return new TraceFormatError(code, source.file, position, reason);
}
