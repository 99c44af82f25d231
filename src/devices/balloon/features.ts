import type { ConfigField } from '../virtio/config-space.js';
import { FEATURE_VERSION_1, type FeatureSet, featureSet, hasFeature } from '../virtio/features.js';
import {
  CONFIG_ACTUAL,
  CONFIG_HINT_COMMAND,
  CONFIG_NUM_PAGES,
  CONFIG_POISON_VALUE,
  FEATURE_DEFLATE_ON_OOM,
  FEATURE_FREE_PAGE_HINT,
  FEATURE_MUST_TELL_HOST,
  FEATURE_PAGE_POISON,
  FEATURE_PAGE_REPORTING,
  FEATURE_STATS_VQ,
} from './constants.js';

/** What the balloon offers. The defaults are those of crosvm's device with its statistics queue. */
export interface BalloonFeatureOptions {
  /** Default true: pages then stay ours until the deflate is acknowledged, and every driver that matters accepts it. */
  readonly mustTellHost?: boolean;
  /** Default true: it costs nothing until somebody asks, and a driver cannot be given it later. */
  readonly statsQueue?: boolean;
  /** Default true: a guest that is short of memory helps itself before it kills its own processes. */
  readonly deflateOnOom?: boolean;
  /** Default false: a guest then reports all the time, unasked, and each report costs page faults later. */
  readonly freePageReporting?: boolean;
  /**
   * Default false: a guest may use a hinted page again before the device has seen the hint, and the device would then
   * discard what the guest has just written (Linux' shrinker does so). Safe only for guests that are known to wait.
   */
  readonly freePageHinting?: boolean;
  /**
   * Default: as `freePageReporting`. A Linux guest that clears or poisons its free pages reports none unless it can say
   * so (`virtballoon_validate`).
   */
  readonly pagePoison?: boolean;
}

export function offeredFeatures(options: BalloonFeatureOptions = {}): FeatureSet {
  const { freePageReporting = false, freePageHinting = false } = options;
  const bits = [FEATURE_VERSION_1];
  if (options.mustTellHost ?? true) bits.push(FEATURE_MUST_TELL_HOST);
  if (options.statsQueue ?? true) bits.push(FEATURE_STATS_VQ);
  if (options.deflateOnOom ?? true) bits.push(FEATURE_DEFLATE_ON_OOM);
  if (freePageHinting) bits.push(FEATURE_FREE_PAGE_HINT);
  if (options.pagePoison ?? freePageReporting) bits.push(FEATURE_PAGE_POISON);
  if (freePageReporting) bits.push(FEATURE_PAGE_REPORTING);
  return featureSet(bits);
}

const FIELD_BYTES = 4;
const field = (offset: number): ConfigField => ({ offset, size: FIELD_BYTES });

/** Where the driver reports what its balloon holds, in pages. */
export const ACTUAL_FIELD = field(CONFIG_ACTUAL);

/** How large the config space is: up to the last field that is offered (virtio 1.2, 5.5.4). */
export function configBytes(offered: FeatureSet): number {
  if (hasFeature(offered, FEATURE_PAGE_POISON)) return CONFIG_POISON_VALUE + FIELD_BYTES;
  if (hasFeature(offered, FEATURE_FREE_PAGE_HINT)) return CONFIG_HINT_COMMAND + FIELD_BYTES;
  return CONFIG_ACTUAL + FIELD_BYTES;
}

/** The fields that the driver writes. */
export function driverFields(offered: FeatureSet): readonly ConfigField[] {
  const poison = hasFeature(offered, FEATURE_PAGE_POISON) ? [field(CONFIG_POISON_VALUE)] : [];
  return [ACTUAL_FIELD, ...poison];
}

/** The fields that are the device's. */
export function deviceFields(offered: FeatureSet): readonly ConfigField[] {
  const hasCommand = configBytes(offered) > CONFIG_HINT_COMMAND;
  return [field(CONFIG_NUM_PAGES), ...(hasCommand ? [field(CONFIG_HINT_COMMAND)] : [])];
}
