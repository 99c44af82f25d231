import type { Bytes } from '../../hal/contract/units.js';
import { FEATURE_VERSION_1, type FeatureSet, featureSet } from '../virtio/features.js';
import {
  CONFIG,
  CONFIG_BYTES,
  DISCARD_ALIGNMENT_SECTORS,
  FEATURE_BLK_SIZE,
  FEATURE_DISCARD,
  FEATURE_FLUSH,
  FEATURE_READ_ONLY,
  FEATURE_SEG_MAX,
  FEATURE_SIZE_MAX,
  MAX_DISCARD_SECTORS,
  MAX_DISCARD_SEGMENTS,
  SECTOR_BYTES,
  SEG_MAX,
  SIZE_MAX_BYTES,
} from './constants.js';

/** What a guest can tell of a disk before it reads from it. `Disk.open` gives the size. */
export interface DiskShape {
  /** What is behind the last whole sector cannot be reached. */
  readonly sizeBytes: Bytes;
  readonly readOnly: boolean;
}

export function capacitySectors(shape: DiskShape): number {
  return Math.floor(shape.sizeBytes / SECTOR_BYTES);
}

export function offeredFeatures(shape: DiskShape): FeatureSet {
  return featureSet([
    FEATURE_VERSION_1,
    FEATURE_SIZE_MAX,
    FEATURE_SEG_MAX,
    FEATURE_BLK_SIZE,
    FEATURE_FLUSH,
    shape.readOnly ? FEATURE_READ_ONLY : FEATURE_DISCARD,
  ]);
}

export function configSpace(shape: DiskShape): Uint8Array {
  const bytes = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(bytes.buffer);
  const sectors = capacitySectors(shape);
  view.setUint32(CONFIG.capacity, sectors % 2 ** 32, true);
  view.setUint32(CONFIG.capacity + 4, Math.floor(sectors / 2 ** 32), true);
  view.setUint32(CONFIG.sizeMax, SIZE_MAX_BYTES, true);
  view.setUint32(CONFIG.segMax, SEG_MAX, true);
  view.setUint32(CONFIG.blkSize, SECTOR_BYTES, true);
  if (shape.readOnly) return bytes;
  view.setUint32(CONFIG.maxDiscardSectors, MAX_DISCARD_SECTORS, true);
  view.setUint32(CONFIG.maxDiscardSegments, MAX_DISCARD_SEGMENTS, true);
  view.setUint32(CONFIG.discardSectorAlignment, DISCARD_ALIGNMENT_SECTORS, true);
  return bytes;
}
