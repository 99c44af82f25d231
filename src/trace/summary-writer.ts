import { ByteBuilder } from './byte-builder.js';
import { crc32 } from './crc32.js';
import type { Definitions } from './definitions.js';
import { MAGIC, Opcode } from './mcap-records.js';
import type { OutputFile } from './output-file.js';

/** What a writer has counted and indexed until its end. */
export interface SummaryContents {
  readonly definitions: Definitions;
  /** Encoded index records, in the order of the file. */
  readonly chunkIndexes: ByteBuilder;
  readonly metadataIndexes: ByteBuilder;
  readonly attachmentIndexes: ByteBuilder;
  readonly messageCount: number;
  readonly chunkCount: number;
  readonly metadataCount: number;
  readonly attachmentCount: number;
  readonly startTimeNs: number;
  readonly endTimeNs: number;
}

/** Writes DataEnd, the summary with its offsets, the Footer and the closing magic. */
export function writeSummary(output: OutputFile, contents: SummaryContents): void {
  const tail = new ByteBuilder(4096);
  const dataEnd = tail.beginRecord(Opcode.dataEnd);
  tail.u32(output.crc);
  tail.endRecord(dataEnd);
  output.write(tail.bytes);
  tail.clear();

  const start = output.position;
  const offsets = new ByteBuilder();
  const group = (opcode: number, append: () => void): void => {
    const from = tail.length;
    append();
    if (tail.length > from) appendOffset(offsets, opcode, start + from, tail.length - from);
  };
  const { definitions } = contents;
  group(Opcode.schema, () => appendAll(tail, definitions.schemaRecords()));
  group(Opcode.channel, () => appendAll(tail, definitions.channelRecords()));
  group(Opcode.statistics, () => appendStatistics(tail, contents));
  group(Opcode.metadataIndex, () => tail.raw(contents.metadataIndexes.bytes));
  group(Opcode.attachmentIndex, () => tail.raw(contents.attachmentIndexes.bytes));
  group(Opcode.chunkIndex, () => tail.raw(contents.chunkIndexes.bytes));
  const offsetStart = start + tail.length;
  tail.raw(offsets.bytes);
  appendFooter(tail, start, offsetStart);
  output.write(tail.bytes);
}

function appendAll(out: ByteBuilder, records: readonly Uint8Array[]): void {
  for (const record of records) out.raw(record);
}

function appendOffset(out: ByteBuilder, opcode: number, start: number, bytes: number): void {
  const mark = out.beginRecord(Opcode.summaryOffset);
  out.u8(opcode);
  out.u64(start);
  out.u64(bytes);
  out.endRecord(mark);
}

function appendStatistics(out: ByteBuilder, contents: SummaryContents): void {
  const counts = contents.definitions.messageCounts();
  const mark = out.beginRecord(Opcode.statistics);
  out.u64(contents.messageCount);
  out.u16(contents.definitions.schemaCount);
  out.u32(contents.definitions.channelCount);
  out.u32(contents.attachmentCount);
  out.u32(contents.metadataCount);
  out.u32(contents.chunkCount);
  out.u64(contents.startTimeNs);
  out.u64(contents.endTimeNs);
  const used = [...counts.entries()].filter(([, count]) => count > 0);
  out.u32(10 * used.length);
  for (const [channelId, count] of used) {
    out.u16(channelId);
    out.u64(count);
  }
  out.endRecord(mark);
}

/** The summary CRC covers the summary and the Footer up to the CRC itself. */
function appendFooter(out: ByteBuilder, summaryStart: number, offsetStart: number): void {
  out.u8(Opcode.footer);
  out.u64(20);
  out.u64(summaryStart);
  out.u64(offsetStart);
  out.u32(crc32(out.bytes));
  out.raw(MAGIC as Uint8Array);
}
