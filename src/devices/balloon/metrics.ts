/** What a balloon has done since it was made. Counts, unless the name says otherwise. */
export interface BalloonMetrics {
  activations: number;
  activationFailures: number;
  resets: number;
  /** Chains taken from the inflate queue, good or bad. */
  inflateRequests: number;
  /** Different pages of RAM per drain that were asked to be given back. */
  inflatedPages: number;
  discardCalls: number;
  discardRanges: number;
  discardFailures: number;
  deflateRequests: number;
  deflatedPages: number;
  usedBufferInterrupts: number;
  statsRequests: number;
  statsSamples: number;
  /** Requests that got no answer: timed out, malformed, or cut off by a reset. */
  statsFailures: number;
  /** Buffers that came without a request: their content is stale. */
  statsStale: number;
  targetChanges: number;
}

export function newBalloonMetrics(): BalloonMetrics {
  return {
    activations: 0,
    activationFailures: 0,
    resets: 0,
    inflateRequests: 0,
    inflatedPages: 0,
    discardCalls: 0,
    discardRanges: 0,
    discardFailures: 0,
    deflateRequests: 0,
    deflatedPages: 0,
    usedBufferInterrupts: 0,
    statsRequests: 0,
    statsSamples: 0,
    statsFailures: 0,
    statsStale: 0,
    targetChanges: 0,
  };
}
