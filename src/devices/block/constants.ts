import type { Bytes } from '../../hal/contract/units.js';

/** virtio 1.2, 5.2 (block device). */
export const BLOCK_DEVICE_ID = 2;

/** `size_max` is the largest segment that a driver may use. */
export const FEATURE_SIZE_MAX = 1;
/** `seg_max` is the largest number of data segments in a request. */
export const FEATURE_SEG_MAX = 2;
export const FEATURE_READ_ONLY = 5;
export const FEATURE_BLK_SIZE = 6;
/** There is a cache, which a flush request empties. A driver that does not accept it gets a writethrough one. */
export const FEATURE_FLUSH = 9;
export const FEATURE_DISCARD = 13;

export const REQUEST_QUEUE = 0;
export const QUEUE_SIZE = 256;

/** The unit of everything in the protocol, whatever the disk's block size (5.2.4). */
export const SECTOR_BYTES: Bytes = 512;

/** Half of the queue: two of the largest requests are under way at once, each with its header and its status. */
export const SEG_MAX = QUEUE_SIZE / 2 - 2;
export const SIZE_MAX_BYTES: Bytes = 131_072;
/**
 * A transfer keeps the machine waiting, so it must have an end. A driver that keeps to `size_max` and `seg_max` cannot
 * ask for more.
 */
export const MAX_REQUEST_BYTES: Bytes = SEG_MAX * SIZE_MAX_BYTES;

export const MAX_DISCARD_SECTORS = 4_194_304;
export const MAX_DISCARD_SEGMENTS = 16;
/** Files have holes in blocks of 4 KiB. */
export const DISCARD_ALIGNMENT_SECTORS = 8;

/** Config space (5.2.4), up to `discard_sector_alignment`; the fields between stay 0, as their features are not offered. */
export const CONFIG = {
  capacity: 0,
  sizeMax: 8,
  segMax: 12,
  blkSize: 20,
  maxDiscardSectors: 36,
  maxDiscardSegments: 40,
  discardSectorAlignment: 44,
} as const;
export const CONFIG_BYTES = 48;

/** The header of a request (5.2.6): u32 type, u32 reserved, u64 sector, little-endian. */
export const HEADER_BYTES = 16;
export const REQUEST_IN = 0;
export const REQUEST_OUT = 1;
export const REQUEST_FLUSH = 4;
export const REQUEST_GET_ID = 8;
export const REQUEST_DISCARD = 11;

/** NUL-padded ASCII; without a NUL if all are used. */
export const ID_BYTES = 20;
/** u64 sector, u32 number of sectors, u32 flags. */
export const DISCARD_SEGMENT_BYTES = 16;

export const STATUS_OK = 0;
export const STATUS_IOERR = 1;
export const STATUS_UNSUPP = 2;
export type RequestStatus = typeof STATUS_OK | typeof STATUS_IOERR | typeof STATUS_UNSUPP;
