import { BALLOON_PAGE_BYTES, type Bytes, type Nanoseconds } from '../../hal/contract/units.js';
import type {
  Activation,
  ActivationRefusal,
  QueueSetup,
  VirtioBackend,
  VirtioFrontend,
} from '../virtio/backend.js';
import { type FeatureSet, hasFeature } from '../virtio/features.js';
import { GuestFaults } from '../virtio/guest-faults.js';
import { GuestMemory } from '../virtio/guest-memory.js';
import { SplitQueue } from '../virtio/split-queue.js';
import { activationRefusal, checkSnapshot } from './activation.js';
import type { BalloonListener, BalloonOptions } from './balloon-options.js';
import {
  CONFIG_ACTUAL,
  CONFIG_HINT_COMMAND,
  CONFIG_NUM_PAGES,
  CONFIG_POISON_VALUE,
  FEATURE_FREE_PAGE_HINT,
  FEATURE_PAGE_POISON,
} from './constants.js';
import { driverFields, offeredFeatures } from './features.js';
import { FreeRanges } from './free-ranges.js';
import { HintingQueue, type HintingState } from './hinting-queue.js';
import { type BalloonMetrics, newBalloonMetrics } from './metrics.js';
import { PageDiscarder } from './page-discarder.js';
import { PageQueues } from './page-queues.js';
import { type QueueFunction, queueFunctions } from './queue-functions.js';
import { ReportingQueue } from './reporting-queue.js';
import type { BalloonSnapshot } from './snapshot.js';
import type { StatsSample } from './stats.js';
import { StatsQueue } from './stats-queue.js';

const DEFAULT_STATS_TIMEOUT_NS = 1_000_000_000;
/** 1 GiB of pages: a hundred times what a driver lists, and still an end. */
const DEFAULT_MAX_FRAMES_PER_DRAIN = 262_144;
const SILENT: BalloonListener = {
  actualChanged: () => {},
  statsAnswered: () => {},
  statsFailed: () => {},
};

interface ServedQueue {
  readonly function: QueueFunction;
  readonly queue: SplitQueue;
}

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
  readonly #pages: PageQueues;
  readonly #stats: StatsQueue;
  readonly #freeRanges: FreeRanges;
  readonly #reporting: ReportingQueue;
  readonly #hinting: HintingQueue;
  #queues = new Map<number, ServedQueue>();
  #features: FeatureSet = { low: 0, high: 0 };
  #targetPages = 0;
  #targetWasSet = false;
  #actualPages = 0;

  /** Asks `Mmap.describe` about each region: the host's page size decides how pages are given back. */
  constructor(options: BalloonOptions) {
    const { mmap, ram, frontend, listener = SILENT } = options;
    this.offeredFeatures = offeredFeatures(options.features);
    this.faults = options.faults ?? new GuestFaults();
    const { faults, metrics } = this;
    this.#memory = new GuestMemory(mmap, ram);
    this.#frontend = frontend;
    this.#listener = listener;
    this.#maxTargetBytes = this.#memory.size - (options.floorBytes ?? 0);
    const maxFrames = options.maxFramesPerDrain ?? DEFAULT_MAX_FRAMES_PER_DRAIN;
    const discarder = new PageDiscarder(this.#memory);
    this.#pages = new PageQueues(this.#memory, discarder, faults, metrics, maxFrames);
    this.#stats = new StatsQueue(this.#memory, faults, metrics, {
      timeoutNs: options.statsTimeoutNs ?? DEFAULT_STATS_TIMEOUT_NS,
      intervalNs: options.statsIntervalNs ?? 0,
      listener,
      time: options.time,
    });
    this.#freeRanges = new FreeRanges(discarder, faults, metrics);
    this.#reporting = new ReportingQueue(this.#freeRanges, faults, metrics);
    this.#hinting = new HintingQueue(
      this.#memory,
      this.#freeRanges,
      faults,
      metrics,
      listener,
      (command) => frontend.configChanged(CONFIG_HINT_COMMAND, littleEndian32(command)),
    );
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
    if (!(bytes >= 0 && bytes <= this.#maxTargetBytes)) {
      this.metrics.targetsRefused++;
      return 'above-limit';
    }
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
    const queue = this.#queueFor('stats');
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

  /** The newest sample that this driver was asked for; undefined if there is none. */
  get lastStats(): StatsSample | undefined {
    return this.#stats.lastSample;
  }

  /** How often `pollStats` asks; 0 is never. May be changed at any time. */
  get statsIntervalNs(): Nanoseconds {
    return this.#stats.intervalNs;
  }

  set statsIntervalNs(intervalNs: Nanoseconds) {
    this.#stats.intervalNs = intervalNs;
  }

  /** When `pollStats` has something to do; undefined if nothing is polled, or the driver has offered no buffer yet. */
  get statsPollNs(): Nanoseconds | undefined {
    return this.#stats.pollDueNs;
  }

  /**
   * Asks for statistics if they are due. Its owner calls it by a timer of the interval, or at `statsPollNs`. While the
   * guest still works for the last time it is left in peace; requests whose time is over are failed first.
   *
   * @returns the request's number, or why nothing was asked.
   */
  pollStats(nowNs: Nanoseconds): number | 'not-ready' | 'not-due' | 'outstanding' {
    this.expireStats(nowNs);
    const refusal = this.#stats.pollRefusal(nowNs);
    if (refusal !== undefined) return refusal;
    const request = this.requestStats(nowNs);
    if (request !== 'not-ready') this.#stats.polled(nowNs, request);
    return request;
  }

  get hintingState(): HintingState {
    return this.#hinting.state;
  }

  /**
   * Asks the guest which of its pages are free, and gives those back to the host; the listener hears of the end. Not safe
   * with every guest: `BalloonFeatureOptions.freePageHinting`.
   *
   * @returns the round's command id. 'not-ready': the driver does not hint. 'running': one round at a time.
   *   'stop-missing': all ids are used up, and the driver has not confirmed the end of the last round.
   */
  startHinting(): number | 'not-ready' | 'running' | 'stop-missing' {
    return this.#queueFor('hinting') === undefined ? 'not-ready' : this.#hinting.start();
  }

  /** Ends the round: the guest has all its pages back. @returns false if there is none. */
  stopHinting(): boolean {
    return this.#hinting.stop();
  }

  activate(activation: Activation): ActivationRefusal | undefined {
    this.#stop();
    const refusal = activationRefusal(this.#memory, this.offeredFeatures, activation);
    if (refusal !== undefined) {
      this.metrics.activationFailures++;
      return refusal;
    }
    this.metrics.activations++;
    this.#features = activation.features;
    this.#takeConfig(activation.config);
    this.#openQueues(activation.queues);
    return undefined;
  }

  /** The target stays: the next driver inflates to it again. */
  reset(): void {
    this.metrics.resets++;
    this.#stop();
    this.#hinting.reset();
    this.#features = { low: 0, high: 0 };
    this.#actualPages = 0;
  }

  queueNotify(index: number): void {
    this.kick(index);
  }

  /** Takes what is available in this queue. A kick of a queue that is not active is ignored. */
  kick(index: number): void {
    const served = this.#queues.get(index);
    if (served === undefined) return;
    const outcome = served.queue.drain();
    if (outcome === 'broken') this.#frontend.needsReset();
    if (outcome === 'drained') this.#interruptIf(this.#serve(served));
  }

  configWritten(offset: number, bytes: Uint8Array): void {
    const fields = driverFields(this.offeredFeatures);
    if (!fields.some((field) => field.offset === offset && field.size === bytes.length)) {
      this.faults.count('config-access');
      return;
    }
    if (offset === CONFIG_POISON_VALUE) {
      // It counts as it stood at DRIVER_OK (virtio 1.2, 5.5.6.6.1).
      if (this.isActive) this.faults.count('poison-changed');
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
      queues: [...this.#queues].map(([index, { queue }]) => ({ index, ...queue.snapshot() })),
      stats: this.#stats.snapshot(),
      hinting: this.#hinting.snapshot(),
      poisonValue: this.#freeRanges.poisonValue,
    };
  }

  /**
   * Goes on where the snapshot was taken, over the same guest memory. Requests for statistics are not part of it, and a
   * round of hinting ends: its command becomes DONE, in a transport that has been restored before. What the driver made
   * available meanwhile is served at once.
   *
   * @throws SnapshotError
   */
  restore(snapshot: BalloonSnapshot): void {
    checkSnapshot(this.#memory, this.offeredFeatures, snapshot);
    this.#stop();
    this.#features = snapshot.features;
    this.#targetPages = snapshot.targetPages;
    this.#targetWasSet = true;
    this.#actualPages = snapshot.actualPages;
    this.#openQueues(snapshot.queues);
    this.#stats.restore(snapshot.stats);
    this.#hinting.restore(snapshot.hinting);
    this.#freeRanges.poisonValue = snapshot.poisonValue;
    for (const index of this.#queues.keys()) this.kick(index);
  }

  #serve({ function: name, queue }: ServedQueue): boolean {
    switch (name) {
      case 'inflate':
        return this.#pages.inflate(queue);
      case 'deflate':
        return this.#pages.deflate(queue);
      case 'stats':
        return this.#stats.serve(queue);
      case 'hinting':
        return this.#hinting.serve(queue);
      case 'reporting':
        return this.#reporting.serve(queue);
    }
  }

  #openQueues(setups: readonly (QueueSetup & { readonly nextUsed?: number })[]): void {
    const indices = setups.map(({ index }) => index);
    const functions = queueFunctions(this.offeredFeatures, this.#features, indices);
    for (const { index, nextAvail, nextUsed, ...layout } of setups) {
      const name = functions.get(index);
      if (name === undefined) continue;
      const start = { nextAvail, nextUsed };
      const queue = new SplitQueue(this.#memory, layout, this.faults, start);
      this.#queues.set(index, { function: name, queue });
    }
  }

  #queueFor(name: QueueFunction): SplitQueue | undefined {
    for (const served of this.#queues.values()) if (served.function === name) return served.queue;
    return undefined;
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
    this.#freeRanges.poisonValue = 0;
  }

  /** A device that was restarted finds target and actual where its predecessor left them. */
  #takeConfig(config: Uint8Array): void {
    if (!this.#targetWasSet) this.#targetPages = fromLittleEndian32(config, CONFIG_NUM_PAGES);
    this.#actualPages = fromLittleEndian32(config, CONFIG_ACTUAL);
    if (hasFeature(this.#features, FEATURE_PAGE_POISON)) {
      this.#freeRanges.poisonValue = fromLittleEndian32(config, CONFIG_POISON_VALUE);
    }
    if (hasFeature(this.#features, FEATURE_FREE_PAGE_HINT)) {
      this.#hinting.takeOver(fromLittleEndian32(config, CONFIG_HINT_COMMAND));
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
