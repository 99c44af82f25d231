import type { MessagePort } from 'node:worker_threads';
import type { LaneOutcome } from './trace-metadata.js';
import type { RingMemory } from './trace-ring.js';

/** What the recording thread is started with. */
export interface ThreadData {
  readonly port: MessagePort;
  /** Words: see `BELL`. */
  readonly bell: SharedArrayBuffer;
}

/** Words of the bell. */
export const BELL = {
  /** What the thread does: see `THREAD`. */
  state: 0,
  /** 1 once the thread has started. */
  started: 1,
} as const;

export const THREAD = {
  awake: 0,
  /** Looks at the rings again by itself, soon. */
  naps: 1,
  /** Nothing to do until it is woken. */
  sleeps: 2,
} as const;

/** Words of a trace's status. */
export const STATUS = { failed: 0, closed: 1 } as const;
/** Where in the status the bytes written stand, as an f64. */
export const WRITTEN_BYTES_AT = 8;
export const STATUS_BYTES = 16;

/** Opens a trace, by the port. */
export interface OpenTrace {
  readonly id: number;
  readonly fd: number;
  readonly path: string;
  readonly library: string;
  readonly ring: RingMemory;
  readonly status: SharedArrayBuffer;
}

/** Commands in the ring. They are carried out between the turns they stand between. */
export type TraceCommand =
  | {
      readonly op: 'schema';
      readonly name: string;
      readonly encoding: string;
      /** Base64. */
      readonly data: string;
    }
  | { readonly op: 'channel'; readonly topic: string; readonly schema: number }
  | {
      readonly op: 'metadata';
      readonly name: string;
      readonly entries: Readonly<Record<string, string>>;
    }
  | {
      readonly op: 'end-lane';
      readonly channel: number;
      readonly lane: string;
      readonly outcome: LaneOutcome;
      readonly detail: string;
    }
  | { readonly op: 'flush' }
  | { readonly op: 'close' };

/** The one failure of a trace, by the port. */
export interface TraceFailed {
  readonly id: number;
  readonly errno: string;
  readonly syscall: string;
  readonly position: number;
}
