import type { ByteSource } from './byte-source.js';
import type { Catalogue } from './catalogue.js';
import { TraceFormatError } from './errors.js';
import { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import {
  FOOTER_RECORD_BYTES,
  Opcode,
  type TraceAttachment,
  type TraceStatistics,
} from './mcap-records.js';
import type { TraceEnd } from './open-trace.js';
import {
  type IndexEntry,
  readAttachmentIndex,
  readChannel,
  readMetadataIndex,
  readSchema,
  readStatistics,
} from './record-fields.js';
import { RecordWalker } from './record-walker.js';

export interface Summary {
  readonly statistics: TraceStatistics | undefined;
  readonly metadataIndexes: readonly (IndexEntry & { readonly name: string })[];
  readonly attachmentIndexes: readonly (TraceAttachment & { readonly length: number })[];
  /** True if it names everything that its statistics count. */
  readonly covers: boolean;
}

/** Bytes of the Footer that the summary's CRC covers. */
const FOOTER_CRC_BYTES = FOOTER_RECORD_BYTES - 4;

/**
 * Reads the summary section, in one pass with its CRC; its definitions go to `catalogue`.
 * @param charge told of every record that is kept
 * @throws TraceFormatError
 */
export function readSummary(
  source: ByteSource,
  limits: TraceLimits,
  catalogue: Catalogue,
  end: TraceEnd,
  strict: boolean,
  charge: (bytes: number, position: number) => void,
): Summary {
  const start = end.summaryStart ?? end.footerAt;
  checkCrc(source, end, start, strict);
  const walker = new RecordWalker(source, start, end.footerAt);
  let statistics: TraceStatistics | undefined;
  const metadataIndexes: (IndexEntry & { readonly name: string })[] = [];
  const attachmentIndexes: (TraceAttachment & { readonly length: number })[] = [];
  while (!walker.done) {
    if (!walker.advance()) throw walker.error('TRACE_CORRUPT', 'a summary record is cut short');
    const fields = (name: string): FieldReader => load(walker, limits, name);
    switch (walker.opcode) {
      case Opcode.schema:
        refuse(walker, catalogue.addSchema(readSchema(fields('schema'))));
        charge(walker.contentLength, walker.position);
        break;
      case Opcode.channel:
        refuse(walker, catalogue.addChannel(readChannel(fields('channel'))));
        charge(walker.contentLength, walker.position);
        break;
      case Opcode.statistics:
        refuse(walker, statistics === undefined ? undefined : 'a second statistics record');
        statistics = readStatistics(fields('statistics'));
        break;
      case Opcode.metadataIndex:
        metadataIndexes.push(readMetadataIndex(fields('metadata index')));
        charge(walker.contentLength, walker.position);
        break;
      case Opcode.attachmentIndex:
        attachmentIndexes.push(readAttachmentIndex(fields('attachment index')));
        charge(walker.contentLength, walker.position);
        break;
      case Opcode.chunkIndex:
      case Opcode.summaryOffset:
        break;
      default:
        // Opcodes above the known ones are private or of the future: the specification says to skip.
        if (walker.opcode > Opcode.dataEnd) break;
        refuse(walker, `a record of type ${walker.opcode} does not belong into the summary`);
    }
  }
  const covers =
    statistics !== undefined &&
    statistics.schemaCount === catalogue.schemas.size &&
    statistics.channelCount === catalogue.channels.size &&
    statistics.metadataCount === metadataIndexes.length &&
    statistics.attachmentCount === attachmentIndexes.length;
  return { statistics, metadataIndexes, attachmentIndexes, covers };
}

/** Checked before anything in the summary is believed. */
function checkCrc(source: ByteSource, end: TraceEnd, start: number, strict: boolean): void {
  if (end.summaryCrc === 0 && !strict) return;
  const through = end.footerAt + FOOTER_CRC_BYTES;
  const actual = new RecordWalker(source, start, through).crcThrough(through);
  if (actual !== end.summaryCrc) {
    const reason = 'the CRC of the summary does not match: some byte of it changed';
    throw new TraceFormatError('TRACE_CORRUPT', source.file, start, reason);
  }
}

function load(walker: RecordWalker, limits: TraceLimits, name: string): FieldReader {
  const start = walker.content(limits.maxRecordBytes);
  const { bytes, contentLength, position, source } = walker;
  return new FieldReader(bytes, start, start + contentLength, name, source.file, position);
}

function refuse(walker: RecordWalker, wrong: string | undefined): void {
  if (wrong !== undefined) throw walker.error('TRACE_CORRUPT', wrong);
}
