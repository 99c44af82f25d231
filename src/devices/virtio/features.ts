/** A set of feature bits as two words, as drivers see them: bits 0 to 31 and 32 to 63. */
export interface FeatureSet {
  readonly low: number;
  readonly high: number;
}

/** The device follows virtio 1.x and not the legacy interface (virtio 1.2, 6). */
export const FEATURE_VERSION_1 = 32;

export function featureSet(bits: readonly number[]): FeatureSet {
  let low = 0;
  let high = 0;
  for (const bit of bits) {
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return { low: low >>> 0, high: high >>> 0 };
}

export function hasFeature(features: FeatureSet, bit: number): boolean {
  const word = bit < 32 ? features.low : features.high;
  return ((word >>> (bit % 32)) & 1) === 1;
}

export function sameFeatures(a: FeatureSet, b: FeatureSet): boolean {
  return a.low === b.low && a.high === b.high;
}

/** The bits of `wanted` that are not in `offered`, if any. */
export function notOffered(wanted: FeatureSet, offered: FeatureSet): FeatureSet | undefined {
  const low = (wanted.low & ~offered.low) >>> 0;
  const high = (wanted.high & ~offered.high) >>> 0;
  return low === 0 && high === 0 ? undefined : { low, high };
}
