import type { HalOf } from '../../hal/contract/define.js';
import type { Bytes, Nanoseconds } from '../../hal/contract/units.js';
import type { Mmap } from '../../hal/mmap.js';
import type { VirtioFrontend } from '../virtio/backend.js';
import type { GuestFaults } from '../virtio/guest-faults.js';
import type { RamPart } from '../virtio/guest-memory.js';
import type { BalloonFeatureOptions } from './features.js';
import type { HintingListener } from './hinting-queue.js';
import type { StatsListener } from './stats-requests.js';

/** Whoever wants to know what the guest does with its balloon. Called within the turn in which it happens. */
export interface BalloonListener extends StatsListener, HintingListener {
  /** The driver says how many pages it holds now. Anything up to 2^32 - 1: it is the guest's word. */
  actualChanged(pages: number): void;
}

export interface BalloonOptions {
  readonly mmap: HalOf<typeof Mmap>;
  readonly ram: readonly RamPart[];
  readonly frontend: VirtioFrontend;
  readonly features?: BalloonFeatureOptions;
  readonly listener?: BalloonListener;
  readonly faults?: GuestFaults;
  /** The guest keeps at least this much: a target above RAM minus this is refused. */
  readonly floorBytes?: Bytes;
  /** How long a request for statistics waits. */
  readonly statsTimeoutNs?: Nanoseconds;
  /** How often `pollStats` asks. Default 0, never: who needs no statistics should not wake the guest for them. */
  readonly statsIntervalNs?: Nanoseconds;
  /** The turn's time, as the reactor has it: without it nobody knows when a sample came. */
  readonly time?: { readonly nowNs: Nanoseconds };
  /** Page frames looked at for one kick. */
  readonly maxFramesPerDrain?: number;
}
