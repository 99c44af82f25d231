import type { Bytes, Nanoseconds } from '../../hal/contract/units.js';

/**
 * What a guest says about its memory. An absent field was not sent: it is missing, not zero and not as it was before.
 * The guest may send anything, so nothing here is a guarantee.
 */
export interface BalloonStats {
  readonly swapInBytes?: Bytes;
  readonly swapOutBytes?: Bytes;
  readonly majorFaults?: number;
  readonly minorFaults?: number;
  readonly freeBytes?: Bytes;
  readonly totalBytes?: Bytes;
  readonly availableBytes?: Bytes;
  readonly diskCachesBytes?: Bytes;
  readonly hugetlbAllocations?: number;
  readonly hugetlbFailures?: number;
  readonly oomKills?: number;
  readonly allocationStalls?: number;
  readonly asyncScans?: number;
  readonly directScans?: number;
  readonly asyncReclaims?: number;
  readonly directReclaims?: number;
  readonly sharedBytes?: Bytes;
  readonly unevictableBytes?: Bytes;
}

/**
 * A sample with the two times that bound its age: the guest took it after `askedNs` and before `answeredNs`. The latter
 * is undefined if the device is told no time.
 */
export interface StatsSample {
  readonly stats: BalloonStats;
  readonly askedNs: Nanoseconds;
  readonly answeredNs: Nanoseconds | undefined;
}

/** Tags of virtio 1.3, 5.5.6.4 and Linux; the last two are ChromeOS's own. */
const NAME_OF_TAG: ReadonlyMap<number, keyof BalloonStats> = new Map([
  [0, 'swapInBytes'],
  [1, 'swapOutBytes'],
  [2, 'majorFaults'],
  [3, 'minorFaults'],
  [4, 'freeBytes'],
  [5, 'totalBytes'],
  [6, 'availableBytes'],
  [7, 'diskCachesBytes'],
  [8, 'hugetlbAllocations'],
  [9, 'hugetlbFailures'],
  [10, 'oomKills'],
  [11, 'allocationStalls'],
  [12, 'asyncScans'],
  [13, 'directScans'],
  [14, 'asyncReclaims'],
  [15, 'directReclaims'],
  [65534, 'sharedBytes'],
  [65535, 'unevictableBytes'],
]);

/** u16 tag and u64 value, packed, little-endian. */
export const STATS_RECORD_BYTES = 10;
/** More than any driver sends: 256 tags. A longer buffer is not parsed at all. */
export const MAX_STATS_BYTES = 256 * STATS_RECORD_BYTES;

export interface ParsedStats {
  readonly stats: BalloonStats;
  /** Bytes at the end that are no whole record; ignored. */
  readonly remainder: Bytes;
  /** Values of 2^53 and more (a driver's "unknown" is 2^64 - 1); their fields are missing. */
  readonly unusable: number;
}

/** Tags may come in any order; unknown ones are ignored, and of a tag sent twice the last counts. */
export function parseStats(bytes: Uint8Array): ParsedStats {
  const stats: { -readonly [K in keyof BalloonStats]: BalloonStats[K] } = {};
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const remainder = bytes.length % STATS_RECORD_BYTES;
  let unusable = 0;
  for (let at = 0; at < bytes.length - remainder; at += STATS_RECORD_BYTES) {
    const name = NAME_OF_TAG.get(view.getUint16(at, true));
    if (name === undefined) continue;
    const value = view.getUint32(at + 6, true) * 2 ** 32 + view.getUint32(at + 2, true);
    if (Number.isSafeInteger(value)) stats[name] = value;
    else unusable++;
  }
  return { stats, remainder, unusable };
}

/** The records that say this, ascending by tag. */
export function encodeStats(stats: BalloonStats): Uint8Array {
  const records = [...NAME_OF_TAG].flatMap(([tag, name]) => {
    const value = stats[name];
    return value === undefined ? [] : [{ tag, value }];
  });
  const bytes = new Uint8Array(records.length * STATS_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  records.forEach(({ tag, value }, index) => {
    const at = index * STATS_RECORD_BYTES;
    view.setUint16(at, tag, true);
    view.setUint32(at + 2, value % 2 ** 32, true);
    view.setUint32(at + 6, Math.floor(value / 2 ** 32), true);
  });
  return bytes;
}
