import { metadataChecksum } from './checksum.js';
import type { FieldReader } from './field-reader.js';
import {
  METADATA_CRC_KEY,
  type TraceAttachment,
  type TraceChannel,
  type TraceHeader,
  type TraceMetadata,
  type TraceSchema,
  type TraceStatistics,
} from './mcap-records.js';

export function readHeader(fields: FieldReader): TraceHeader {
  return { profile: fields.string(), library: fields.string() };
}

export function readSchema(fields: FieldReader): TraceSchema {
  const id = fields.u16();
  if (id === 0) throw fields.corrupt('id 0 is reserved');
  const name = fields.string();
  const encoding = fields.string();
  return { id, name, encoding, data: fields.copy(fields.u32()) };
}

export function readChannel(fields: FieldReader): TraceChannel {
  const id = fields.u16();
  const schemaId = fields.u16();
  const topic = fields.string();
  const messageEncoding = fields.string();
  return { id, schemaId, topic, messageEncoding, metadata: fields.stringMap() };
}

/**
 * @param strict the checksum entry must be there (files of this package)
 */
export function readMetadata(
  fields: FieldReader,
  position: number,
  strict: boolean,
): TraceMetadata {
  const name = fields.string();
  const entries = fields.stringMap();
  const expected = entries.get(METADATA_CRC_KEY);
  if (expected === undefined && strict) throw fields.corrupt('its checksum entry is missing');
  entries.delete(METADATA_CRC_KEY);
  if (expected !== undefined && expected !== metadataChecksum(name, entries)) {
    throw fields.corrupt(`the checksum of ${JSON.stringify(name)} does not match`);
  }
  return { name, entries, position };
}

/** The fields before an attachment's data. */
export function readAttachmentHead(fields: FieldReader, position: number): TraceAttachment {
  const logTimeNs = fields.time();
  fields.time();
  const name = fields.string();
  const mediaType = fields.string();
  return { name, mediaType, logTimeNs, sizeBytes: fields.u64(), position };
}

export interface ChunkHead {
  readonly startTimeNs: number;
  readonly endTimeNs: number;
  readonly uncompressedSize: number;
  readonly crc: number;
  readonly compression: string;
  readonly recordsBytes: number;
}

export function readChunkHead(fields: FieldReader): ChunkHead {
  return {
    startTimeNs: fields.time(),
    endTimeNs: fields.time(),
    uncompressedSize: fields.u64(),
    crc: fields.u32(),
    compression: fields.string(),
    recordsBytes: fields.u64(),
  };
}

export interface IndexEntry {
  readonly offset: number;
  readonly length: number;
}

export function readMetadataIndex(fields: FieldReader): IndexEntry & { readonly name: string } {
  return { offset: fields.u64(), length: fields.u64(), name: fields.string() };
}

export function readAttachmentIndex(
  fields: FieldReader,
): TraceAttachment & { readonly length: number } {
  const position = fields.u64();
  const length = fields.u64();
  const logTimeNs = fields.time();
  fields.time();
  const sizeBytes = fields.u64();
  const name = fields.string();
  const mediaType = fields.string();
  return { length, name, mediaType, logTimeNs, sizeBytes, position };
}

export function readStatistics(fields: FieldReader): TraceStatistics {
  const messageCount = fields.u64();
  const schemaCount = fields.u16();
  const channelCount = fields.u32();
  const attachmentCount = fields.u32();
  const metadataCount = fields.u32();
  const chunkCount = fields.u32();
  const messageStartTimeNs = fields.time();
  const messageEndTimeNs = fields.time();
  const messagesByChannel = new Map<number, number>();
  const size = fields.u32();
  if (size % 10 !== 0 || size > fields.remaining) throw fields.corrupt('a map has a wrong size');
  for (let i = 0; i < size; i += 10) messagesByChannel.set(fields.u16(), fields.u64());
  return {
    messageCount,
    schemaCount,
    channelCount,
    attachmentCount,
    metadataCount,
    chunkCount,
    messageStartTimeNs,
    messageEndTimeNs,
    messagesByChannel,
  };
}
