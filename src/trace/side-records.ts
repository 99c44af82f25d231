import { ByteBuilder } from './byte-builder.js';
import { metadataChecksum } from './checksum.js';
import { crc32 } from './crc32.js';
import { METADATA_CRC_KEY, Opcode } from './mcap-records.js';
import type { OutputFile } from './output-file.js';

/**
 * Writes a Metadata record with its checksum entry and appends its index record to `index`.
 * @throws RangeError if the entries use the checksum's key
 */
export function writeMetadataRecord(
  output: OutputFile,
  index: ByteBuilder,
  name: string,
  entries: Readonly<Record<string, string>>,
): void {
  const all = new Map(Object.entries(entries));
  if (all.has(METADATA_CRC_KEY)) throw new RangeError(`"${METADATA_CRC_KEY}" is reserved`);
  all.set(METADATA_CRC_KEY, metadataChecksum(name, all));
  const record = new ByteBuilder(1024);
  const mark = record.beginRecord(Opcode.metadata);
  record.string(name);
  record.stringMap(all);
  const bytes = record.endRecord(mark);
  const indexMark = index.beginRecord(Opcode.metadataIndex);
  index.u64(output.position);
  index.u64(bytes);
  index.string(name);
  index.endRecord(indexMark);
  output.write(record.bytes);
}

/** Writes an Attachment record with its CRC and appends its index record to `index`. */
export function writeAttachmentRecord(
  output: OutputFile,
  index: ByteBuilder,
  name: string,
  mediaType: string,
  bytes: Uint8Array,
  timeNs: number,
): void {
  const fields = new ByteBuilder(1024);
  fields.u64(timeNs);
  fields.u64(timeNs);
  fields.string(name);
  fields.string(mediaType);
  fields.u64(bytes.length);
  const contentBytes = fields.length + bytes.length + 4;
  const head = new ByteBuilder(16);
  head.u8(Opcode.attachment);
  head.u64(contentBytes);
  const crc = new ByteBuilder(4);
  crc.u32(crc32(bytes, crc32(fields.bytes)));

  const mark = index.beginRecord(Opcode.attachmentIndex);
  index.u64(output.position);
  index.u64(head.length + contentBytes);
  index.u64(timeNs);
  index.u64(timeNs);
  index.u64(bytes.length);
  index.string(name);
  index.string(mediaType);
  index.endRecord(mark);

  output.write(head.bytes);
  output.write(fields.bytes);
  output.write(bytes);
  output.write(crc.bytes);
}
