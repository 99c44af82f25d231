import { FEATURE_VERSION_1, type FeatureSet, featureSet, hasFeature } from '../virtio/features.js';
import {
  FEATURE_DEFLATE_ON_OOM,
  FEATURE_MUST_TELL_HOST,
  FEATURE_STATS_VQ,
  STATS_QUEUE,
} from './constants.js';

/** What the balloon offers. Everything unless it is said otherwise. */
export interface BalloonFeatureOptions {
  readonly mustTellHost?: boolean;
  readonly statsQueue?: boolean;
  readonly deflateOnOom?: boolean;
}

export function offeredFeatures(options: BalloonFeatureOptions = {}): FeatureSet {
  const bits = [FEATURE_VERSION_1];
  if (options.mustTellHost ?? true) bits.push(FEATURE_MUST_TELL_HOST);
  if (options.statsQueue ?? true) bits.push(FEATURE_STATS_VQ);
  if (options.deflateOnOom ?? true) bits.push(FEATURE_DEFLATE_ON_OOM);
  return featureSet(bits);
}

/** How many queues a balloon with these features has: by what is offered, not by what is negotiated (`STATS_QUEUE`). */
export function queueCount(offered: FeatureSet): number {
  return hasFeature(offered, FEATURE_STATS_VQ) ? STATS_QUEUE + 1 : STATS_QUEUE;
}
