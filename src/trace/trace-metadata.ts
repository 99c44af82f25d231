/** Names of the metadata records of a trace. */
export const METADATA = {
  run: 'halyard.run',
  program: 'halyard.program',
  contracts: 'halyard.contracts',
  lane: 'halyard.lane',
} as const;

/** How a lane ended. */
export type LaneOutcome =
  /** The program stopped by itself. */
  | 'stopped'
  /** A handler threw; the last turn has the error. */
  | 'failed'
  /** The process was ended from outside, or its stream broke off. */
  | 'killed';
