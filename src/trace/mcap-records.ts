/** The eight bytes at both ends of every MCAP file (MCAP specification, "Magic"). */
export const MAGIC: Readonly<Uint8Array> = Uint8Array.of(
  0x89,
  0x4d,
  0x43,
  0x41,
  0x50,
  0x30,
  0x0d,
  0x0a,
);

/** Record opcodes (MCAP specification, "Records"). */
export const Opcode = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  attachment: 0x09,
  attachmentIndex: 0x0a,
  statistics: 0x0b,
  metadata: 0x0c,
  metadataIndex: 0x0d,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;

/** Opcode and u64 content length, in bytes. */
export const RECORD_HEAD_BYTES = 9;
/** Channel, sequence, log time and publish time at the start of a message's content. */
export const MESSAGE_FIXED_BYTES = 22;
/** What a message costs beside its payload. */
export const MESSAGE_OVERHEAD_BYTES = RECORD_HEAD_BYTES + MESSAGE_FIXED_BYTES;
/** Times, uncompressed size, CRC, length of the compression name and length of the records. */
export const CHUNK_FIXED_BYTES = 8 + 8 + 8 + 4 + 4 + 8;
export const DATA_END_RECORD_BYTES = RECORD_HEAD_BYTES + 4;
export const FOOTER_RECORD_BYTES = RECORD_HEAD_BYTES + 20;

/** Profile of the files this package writes; in it no checksum is optional. */
export const HALYARD_PROFILE = 'halyard';
/** Metadata key that carries the checksum of the other entries. */
export const METADATA_CRC_KEY = 'halyard.crc32';
/** The first metadata record: repeats the Header, which has no checksum in MCAP. */
export const HEADER_METADATA_NAME = 'halyard.header';

export const TWO_POW_32 = 0x1_0000_0000;

export interface TraceHeader {
  readonly profile: string;
  readonly library: string;
}

export interface TraceSchema {
  readonly id: number;
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
}

export interface TraceChannel {
  readonly id: number;
  /** 0 means that the channel has no schema. */
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface TraceMetadata {
  readonly name: string;
  /** Without the checksum entry. */
  readonly entries: ReadonlyMap<string, string>;
  /** Offset of the record in the file, in bytes. */
  readonly position: number;
}

export interface TraceAttachment {
  readonly name: string;
  readonly mediaType: string;
  readonly logTimeNs: number;
  readonly sizeBytes: number;
  /** Offset of the record in the file, in bytes. */
  readonly position: number;
}

export interface TraceStatistics {
  readonly messageCount: number;
  readonly schemaCount: number;
  readonly channelCount: number;
  readonly attachmentCount: number;
  readonly metadataCount: number;
  readonly chunkCount: number;
  readonly messageStartTimeNs: number;
  readonly messageEndTimeNs: number;
  readonly messagesByChannel: ReadonlyMap<number, number>;
}
