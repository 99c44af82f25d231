import type { FeatureSet } from './features.js';
import type { QueueLayout, QueueRefusal } from './split-queue.js';

/** A queue that the driver made ready. */
export interface QueueSetup extends QueueLayout {
  readonly index: number;
  /**
   * Where to go on in the avail ring: 0 for a ring that the driver has just set up. Undefined after the device was
   * restarted: it goes on after the last used element, so that what its predecessor took and did not finish is done.
   */
  readonly nextAvail: number | undefined;
}

/** What a device needs to start: what the driver negotiated, and the config space as it stands. */
export interface Activation {
  readonly features: FeatureSet;
  readonly queues: readonly QueueSetup[];
  readonly config: Uint8Array;
}

/** Why a device does not start. */
export interface ActivationRefusal {
  readonly reason: QueueRefusal | 'missing-queue' | 'unknown-queue' | 'features';
  /** The queue it is about; undefined if it is about none. */
  readonly queue: number | undefined;
}

/** The device behind a transport: in this process, or in one of its own. */
export interface VirtioBackend {
  /** Starts the device (DRIVER_OK). A device elsewhere returns undefined and reports failure by `needsReset`. */
  activate(activation: Activation): ActivationRefusal | undefined;
  /** Stops it: no ring is touched after this returns. */
  reset(): void;
  /** The driver has put something into this queue, or may have. */
  queueNotify(index: number): void;
  /** The driver wrote a field of the config space that it may write. */
  configWritten(offset: number, bytes: Uint8Array): void;
}

/** What a device tells its transport. */
export interface VirtioFrontend {
  /** Used elements were published. */
  usedBuffer(): void;
  /** These bytes of the config space are new. */
  configChanged(offset: number, bytes: Uint8Array): void;
  /** The driver broke the protocol so that only a reset helps. */
  needsReset(): void;
}
