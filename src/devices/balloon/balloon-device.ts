import type { HalOf } from '../../hal/contract/define.js';
import { BALLOON_PAGE_BYTES, type Bytes, type Nanoseconds } from '../../hal/contract/units.js';
import type { Mmap } from '../../hal/mmap.js';
import { SnapshotError } from '../snapshot-error.js';
import type {
  Activation,
  ActivationRefusal,
  QueueSetup,
  VirtioBackend,
  VirtioFrontend,
} from '../virtio/backend.js';
import { type FeatureSet, hasFeature, notOffered, sameFeatures } from '../virtio/features.js';
import { GuestFaults } from '../virtio/guest-faults.js';
import { GuestMemory, type RamPart } from '../virtio/guest-memory.js';
import { SplitQueue, validateQueue } from '../virtio/split-queue.js';
import {
  CONFIG_ACTUAL,
  CONFIG_NUM_PAGES,
  DEFLATE_QUEUE,
  FEATURE_STATS_VQ,
  INFLATE_QUEUE,
  QUEUE_SIZE,
  STATS_QUEUE,
} from './constants.js';
import { type BalloonFeatureOptions, offeredFeatures, queueCount } from './features.js';
import { type BalloonMetrics, newBalloonMetrics } from './metrics.js';
import { PageQueues } from './page-queues.js';
import type { BalloonSnapshot } from './snapshot.js';
import { StatsQueue } from './stats-queue.js';
import type { StatsListener } from './stats-requests.js';

/** Whoever wants to know what the guest does with its balloon. Called within the turn in which it happens. */
export interface BalloonListener extends StatsListener {
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
  /** Page frames looked at for one kick. */
  readonly maxFramesPerDrain?: number;
}

const DEFAULT_STATS_TIMEOUT_NS = 1_000_000_000;
/** 1 GiB of pages: a hundred times what a driver lists, and still an end. */
const DEFAULT_MAX_FRAMES_PER_DRAIN = 262_144;
const SILENT: BalloonListener = {
  actualChanged: () => {},
  statsAnswered: () => {},
  statsFailed: () => {},
};

/**
 * The memory balloon (virtio 1.2, 5.5). It does everything within the call that makes it do so, and keeps no time:
 * callers pass the time in.
 */
export class BalloonDevice implements VirtioBackend {
  readonly offeredFeatures: FeatureSet;
  readonly faults: GuestFaults;
  readonly metrics: BalloonMetrics = newBalloonMetrics();
  readonly #memory: GuestMemory;
  readonly #frontend: VirtioFrontend;
  readonly #listener: BalloonListener;
  readonly #maxTargetBytes: Bytes;
  readonly #queueCount: number;
  readonly #pages: PageQueues;
  readonly #stats: StatsQueue;
  #queues = new Map<number, SplitQueue>();
  #features: FeatureSet = { low: 0, high: 0 };
  #targetPages = 0;
  #targetWasSet = false;
  #actualPages = 0;

  /** Asks `Mmap.describe` about each region: the host's page size decides how pages are given back. */
  constructor(options: BalloonOptions) {
    const { mmap, ram, frontend, listener = SILENT } = options;
    this.offeredFeatures = offeredFeatures(options.features);
    this.#queueCount = queueCount(this.offeredFeatures);
    this.faults = options.faults ?? new GuestFaults();
    this.#memory = new GuestMemory(mmap, ram);
    this.#frontend = frontend;
    this.#listener = listener;
    this.#maxTargetBytes = this.#memory.size - (options.floorBytes ?? 0);
    const maxFrames = options.maxFramesPerDrain ?? DEFAULT_MAX_FRAMES_PER_DRAIN;
    this.#pages = new PageQueues(this.#memory, this.faults, this.metrics, maxFrames);
    const timeoutNs = options.statsTimeoutNs ?? DEFAULT_STATS_TIMEOUT_NS;
    this.#stats = new StatsQueue(this.#memory, this.faults, this.metrics, timeoutNs, listener);
  }

  get isActive(): boolean {
    return this.#queues.size > 0;
  }

  get targetPages(): number {
    return this.#targetPages;
  }

  /** What the driver said last; may be nonsense. */
  get actualPages(): number {
    return this.#actualPages;
  }

  /** What the guest has left by its own word: RAM less the balloon, never below 0. */
  get remainingBytes(): Bytes {
    return Math.max(0, this.#memory.size - this.#actualPages * BALLOON_PAGE_BYTES);
  }

  /**
   * Sets how much the balloon should hold. Whole pages count; a partial page at the end is dropped.
   *
   * @returns 'above-limit' if the guest does not have that much to give; nothing changed then.
   */
  setTargetBytes(bytes: Bytes): 'set' | 'above-limit' {
    if (!(bytes >= 0 && bytes <= this.#maxTargetBytes)) return 'above-limit';
    const pages = Math.floor(bytes / BALLOON_PAGE_BYTES);
    this.#targetWasSet = true;
    if (pages === this.#targetPages) return 'set';
    this.#targetPages = pages;
    this.metrics.targetChanges++;
    this.#frontend.configChanged(CONFIG_NUM_PAGES, littleEndian32(pages));
    return 'set';
  }

  /**
   * Asks the guest for statistics; the listener hears of the outcome.
   *
   * @returns the request's number, or 'not-ready' if the driver has not offered a buffer yet.
   */
  requestStats(nowNs: Nanoseconds): number | 'not-ready' {
    const queue = this.#queues.get(STATS_QUEUE);
    if (queue === undefined || !this.#stats.isReady) return 'not-ready';
    const request = this.#stats.request(nowNs);
    this.#interruptIf(this.#stats.ask(queue));
    return request;
  }

  /** When `expireStats` should be called; undefined if nothing is outstanding. */
  get statsDeadlineNs(): Nanoseconds | undefined {
    return this.#stats.nextDeadlineNs;
  }

  /** Fails the requests whose time is over. */
  expireStats(nowNs: Nanoseconds): void {
    this.#stats.expire(nowNs);
  }

  activate(activation: Activation): ActivationRefusal | undefined {
    this.#stop();
    const refusal = this.#checkActivation(activation);
    if (refusal !== undefined) {
      this.metrics.activationFailures++;
      return refusal;
    }
    this.metrics.activations++;
    this.#features = activation.features;
    this.#takeConfig(activation.config);
    for (const { index, nextAvail, ...layout } of this.#usable(activation)) {
      this.#queues.set(index, new SplitQueue(this.#memory, layout, this.faults, { nextAvail }));
    }
    return undefined;
  }

  /** The target stays: the next driver inflates to it again. */
  reset(): void {
    this.metrics.resets++;
    this.#stop();
    this.#features = { low: 0, high: 0 };
    this.#actualPages = 0;
  }

  queueNotify(index: number): void {
    this.kick(index);
  }

  /** Takes what is available in this queue. A kick of a queue that is not active is ignored. */
  kick(index: number): void {
    const queue = this.#queues.get(index);
    if (queue === undefined) return;
    const outcome = queue.drain();
    if (outcome === 'broken') this.#frontend.needsReset();
    if (outcome === 'drained') this.#interruptIf(this.#serve(index, queue));
  }

  configWritten(offset: number, bytes: Uint8Array): void {
    if (offset !== CONFIG_ACTUAL || bytes.length !== 4) {
      this.faults.count('config-access');
      return;
    }
    this.#actualPages = fromLittleEndian32(bytes, 0);
    this.#listener.actualChanged(this.#actualPages);
  }

  snapshot(): BalloonSnapshot {
    return {
      offeredFeatures: this.offeredFeatures,
      features: this.#features,
      targetPages: this.#targetPages,
      actualPages: this.#actualPages,
      queues: [...this.#queues].map(([index, queue]) => ({ index, ...queue.snapshot() })),
      stats: this.#stats.snapshot(),
    };
  }

  /**
   * Goes on where the snapshot was taken, over the same guest memory. Requests for statistics are not part of it. What
   * the driver made available meanwhile is served at once.
   *
   * @throws SnapshotError
   */
  restore(snapshot: BalloonSnapshot): void {
    this.#checkSnapshot(snapshot);
    this.#stop();
    this.#features = snapshot.features;
    this.#targetPages = snapshot.targetPages;
    this.#targetWasSet = true;
    this.#actualPages = snapshot.actualPages;
    for (const { index, nextAvail, nextUsed, ...layout } of snapshot.queues) {
      const start = { nextAvail, nextUsed };
      this.#queues.set(index, new SplitQueue(this.#memory, layout, this.faults, start));
    }
    this.#stats.restore(snapshot.stats);
    for (const index of this.#queues.keys()) this.kick(index);
  }

  #serve(index: number, queue: SplitQueue): boolean {
    switch (index) {
      case INFLATE_QUEUE:
        return this.#pages.inflate(queue);
      case DEFLATE_QUEUE:
        return this.#pages.deflate(queue);
      default:
        return this.#stats.serve(queue);
    }
  }

  #interruptIf(wanted: boolean): void {
    if (!wanted) return;
    this.metrics.usedBufferInterrupts++;
    this.#frontend.usedBuffer();
  }

  #stop(): void {
    this.#queues.clear();
    this.#pages.reset();
    this.#stats.reset();
  }

  /** A device that was restarted finds target and actual where its predecessor left them. */
  #takeConfig(config: Uint8Array): void {
    if (!this.#targetWasSet) this.#targetPages = fromLittleEndian32(config, CONFIG_NUM_PAGES);
    this.#actualPages = fromLittleEndian32(config, CONFIG_ACTUAL);
  }

  /** The statistics queue counts only if the driver wants statistics. */
  #usable(activation: Activation): readonly QueueSetup[] {
    const hasStats = hasFeature(activation.features, FEATURE_STATS_VQ);
    return activation.queues.filter((queue) => queue.index !== STATS_QUEUE || hasStats);
  }

  #checkActivation(activation: Activation): ActivationRefusal | undefined {
    if (notOffered(activation.features, this.offeredFeatures) !== undefined) {
      return { reason: 'features', queue: undefined };
    }
    for (const queue of activation.queues) {
      if (queue.index >= this.#queueCount) return { reason: 'unknown-queue', queue: queue.index };
      const reason = validateQueue(this.#memory, queue, QUEUE_SIZE);
      if (reason !== undefined) return { reason, queue: queue.index };
    }
    const missing = [INFLATE_QUEUE, DEFLATE_QUEUE].find(
      (index) => !activation.queues.some((queue) => queue.index === index),
    );
    return missing === undefined ? undefined : { reason: 'missing-queue', queue: missing };
  }

  #checkSnapshot(snapshot: BalloonSnapshot): void {
    const { offeredFeatures: offered, features } = snapshot;
    if (!sameFeatures(offered, this.offeredFeatures) || notOffered(features, offered)) {
      throw new SnapshotError(
        'FEATURES_DIFFER',
        'the snapshot is of a balloon that offers other features; restore it into one with the same options',
      );
    }
    for (const queue of snapshot.queues) {
      const refusal = validateQueue(this.#memory, queue, QUEUE_SIZE);
      if (refusal !== undefined || queue.index >= this.#queueCount) {
        throw new SnapshotError('CORRUPT', `queue ${queue.index} is ${refusal ?? 'unknown'}`);
      }
    }
    const statsSize = snapshot.queues.find((queue) => queue.index === STATS_QUEUE)?.size ?? 0;
    const { heldHead } = snapshot.stats;
    if (heldHead !== undefined && !(heldHead >= 0 && heldHead < statsSize)) {
      throw new SnapshotError('CORRUPT', `no statistics buffer can be at ${heldHead}`);
    }
  }
}

function littleEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function fromLittleEndian32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}
