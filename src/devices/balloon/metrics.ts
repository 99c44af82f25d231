import type { DiscardOutcome } from './page-discarder.js';

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
  /** Requests for statistics that the interval made. */
  statsPolls: number;
  targetChanges: number;
  /** Targets above what the guest can give. */
  targetsRefused: number;
  /** Chains taken from the reporting queue, good or bad. */
  reportRequests: number;
  /** Different pages of RAM per drain that were reported free. */
  reportedPages: number;
  hintRounds: number;
  /** Chains taken from the hinting queue, good or bad. */
  hintRequests: number;
  /** Different pages of RAM per drain that were hinted in the round that was asked for. */
  hintedPages: number;
  /** Hinted ranges that belong to no round, or to one that is over. They are left alone. */
  hintsIgnored: number;
  /** Pages reported or hinted that keep their content because the guest expects a poison value in them. */
  poisonedPagesKept: number;
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
    statsPolls: 0,
    targetChanges: 0,
    targetsRefused: 0,
    reportRequests: 0,
    reportedPages: 0,
    hintRounds: 0,
    hintRequests: 0,
    hintedPages: 0,
    hintsIgnored: 0,
    poisonedPagesKept: 0,
  };
}

/** Adds what a discard made of its pages to the counters of all discards. */
export function countDiscard(metrics: BalloonMetrics, outcome: Readonly<DiscardOutcome>): void {
  metrics.discardCalls += outcome.calls;
  metrics.discardRanges += outcome.ranges;
  metrics.discardFailures += outcome.failures;
}
