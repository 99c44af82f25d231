import type { Bytes, MiB, Nanoseconds } from '../hal/contract/units.js';
import type { Observation, StepMode, StepWhy } from './step-types.js';

/** The host's figures at one moment, with what the balloon had been told by then. */
export interface PolicySample {
  readonly timeNs: Nanoseconds;
  readonly observation: Observation;
  /** Undefined while the figures cannot be read or the margin is off. */
  readonly availableMiB: MiB | undefined;
  readonly marginMiB: MiB | undefined;
  readonly currentBytes: Bytes;
}

export interface PolicyDecision {
  readonly timeNs: Nanoseconds;
  readonly why: StepWhy;
  /** The state after it. */
  readonly mode: StepMode;
  readonly currentBytes: Bytes;
  /** A target that still waits to be delivered. */
  readonly unsentBytes: Bytes | undefined;
}

/**
 * Looks on, for charts and logs. It influences nothing: it returns nothing, must make no HAL call, and one that throws
 * is not called again.
 */
export interface PolicyObserver {
  sample?(sample: PolicySample): void;
  decision?(decision: PolicyDecision): void;
  /** Something a person should know, said once. */
  notice?(message: string): void;
}
