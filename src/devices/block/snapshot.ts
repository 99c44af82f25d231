import type { FeatureSet } from '../virtio/features.js';
import type { QueueSnapshot } from '../virtio/split-queue.js';

/**
 * Everything of a block device that is not in guest memory, not on its disk and not in the transport's registers. Plain
 * data. No request is ever under way when it is taken: each ends within the call that took it.
 */
export interface BlockSnapshot {
  readonly offeredFeatures: FeatureSet;
  /** What the driver acknowledged. */
  readonly features: FeatureSet;
  readonly capacitySectors: number;
  /** Undefined if the driver is not running. */
  readonly queue: QueueSnapshot | undefined;
}
