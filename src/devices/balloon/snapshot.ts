import type { FeatureSet } from '../virtio/features.js';
import type { QueueSnapshot } from '../virtio/split-queue.js';
import type { StatsSnapshot } from './stats-queue.js';

/** Everything of a balloon that is not in guest memory and not in the transport's registers. Plain data. */
export interface BalloonSnapshot {
  readonly offeredFeatures: FeatureSet;
  /** What the driver acknowledged. */
  readonly features: FeatureSet;
  readonly targetPages: number;
  readonly actualPages: number;
  /** Active queues by index; empty if the driver is not running. */
  readonly queues: readonly (QueueSnapshot & { readonly index: number })[];
  readonly stats: StatsSnapshot;
}
