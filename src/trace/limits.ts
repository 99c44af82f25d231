/** Bounds for a file that nobody vouches for, in bytes. */
export interface TraceLimits {
  /** Uncompressed size of one chunk. */
  readonly maxChunkBytes: number;
  /** Any other record that is held in memory whole. */
  readonly maxRecordBytes: number;
  /** All schemas, channels, metadata and attachment names together. */
  readonly maxDefinitionBytes: number;
  /**
   * All chunks together may be uncompressed to this plus `maxExpansion` times the file's size. Our
   * files stay under 25 times: their message index is not compressed.
   */
  readonly maxUncompressedBytes: number;
  readonly maxExpansion: number;
}

export const DEFAULT_LIMITS: TraceLimits = {
  maxChunkBytes: 64 * 1024 * 1024,
  maxRecordBytes: 64 * 1024 * 1024,
  maxDefinitionBytes: 64 * 1024 * 1024,
  maxUncompressedBytes: 256 * 1024 * 1024,
  maxExpansion: 500,
};
