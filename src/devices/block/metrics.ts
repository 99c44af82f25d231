/** What a block device has done since it was made. Counts, unless the name says otherwise. */
export interface BlockMetrics {
  activations: number;
  activationFailures: number;
  resets: number;
  /** Chains taken from the queue, good or bad. */
  requests: number;
  reads: number;
  readBytes: number;
  writes: number;
  writtenBytes: number;
  /** Those that the driver asked for, and those that a writethrough cache makes. */
  flushes: number;
  discards: number;
  /** Calls that the host refused, and files that had become shorter. */
  hostErrors: number;
  usedBufferInterrupts: number;
}

export function newBlockMetrics(): BlockMetrics {
  return {
    activations: 0,
    activationFailures: 0,
    resets: 0,
    requests: 0,
    reads: 0,
    readBytes: 0,
    writes: 0,
    writtenBytes: 0,
    flushes: 0,
    discards: 0,
    hostErrors: 0,
    usedBufferInterrupts: 0,
  };
}
