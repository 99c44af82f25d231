import type { Nanoseconds } from '../../hal/contract/units.js';
import type { GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import type { SplitQueue } from '../virtio/split-queue.js';
import type { BalloonMetrics } from './metrics.js';
import { MAX_STATS_BYTES, parseStats, type StatsSample } from './stats.js';
import { StatsPoll } from './stats-poll.js';
import { type StatsListener, StatsRequests } from './stats-requests.js';

export interface StatsQueueOptions {
  readonly timeoutNs: Nanoseconds;
  /** 0: on demand only. */
  readonly intervalNs: Nanoseconds;
  readonly listener: StatsListener;
  /** The turn's time, if somebody knows it. */
  readonly time: { readonly nowNs: Nanoseconds } | undefined;
}

/** The statistics queue's part of a snapshot. */
export interface StatsSnapshot {
  /** The driver has posted a buffer since it started. */
  readonly isReady: boolean;
  /** Head of the buffer that the device holds. */
  readonly heldHead: number | undefined;
}

/**
 * The statistics queue (virtio 1.2, 5.5.6.3). The driver posts one buffer; the device holds it, and giving it back is how
 * it asks for the next sample. A buffer that comes without having been asked for is held and not published: nobody knows
 * how old it is.
 */
export class StatsQueue {
  readonly #memory: GuestMemory;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;
  readonly #requests: StatsRequests;
  readonly #time: StatsQueueOptions['time'];
  readonly #buffer = new Uint8Array(MAX_STATS_BYTES);
  readonly #poll: StatsPoll;
  #isReady = false;
  #heldHead: number | undefined;
  /** The buffer is with the driver because a request wants a sample. */
  #isAsking = false;
  #lastSample: StatsSample | undefined;

  constructor(
    memory: GuestMemory,
    faults: GuestFaults,
    metrics: BalloonMetrics,
    { timeoutNs, intervalNs, listener, time }: StatsQueueOptions,
  ) {
    this.#memory = memory;
    this.#faults = faults;
    this.#metrics = metrics;
    this.#time = time;
    this.#requests = new StatsRequests(timeoutNs, listener);
    this.#poll = new StatsPoll(intervalNs);
  }

  /** The newest sample that this driver was asked for. */
  get lastSample(): StatsSample | undefined {
    return this.#lastSample;
  }

  get nextDeadlineNs(): Nanoseconds | undefined {
    return this.#requests.nextDeadlineNs;
  }

  /** False until the driver posts its first buffer: a request would wait for something that may never come. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Adds a request; `ask` then sends it on its way. */
  request(nowNs: Nanoseconds): number {
    this.#metrics.statsRequests++;
    return this.#requests.add(nowNs);
  }

  get intervalNs(): Nanoseconds {
    return this.#poll.intervalNs;
  }

  set intervalNs(intervalNs: Nanoseconds) {
    this.#poll.intervalNs = intervalNs;
  }

  /** When the next poll is due; undefined if nothing is polled or can be. */
  get pollDueNs(): Nanoseconds | undefined {
    return this.#isReady ? this.#poll.dueNs : undefined;
  }

  /** Why nothing is to be asked now. While the guest works for the last poll it is left in peace until the next time. */
  pollRefusal(nowNs: Nanoseconds): 'not-ready' | 'not-due' | 'outstanding' | undefined {
    if (!this.#isReady) return 'not-ready';
    const { dueNs, request } = this.#poll;
    if (dueNs === undefined || dueNs > nowNs) return 'not-due';
    if (request === undefined || !this.#requests.isOutstanding(request)) return undefined;
    this.#poll.took(nowNs, request);
    return 'outstanding';
  }

  /** The request was made for the poll. */
  polled(nowNs: Nanoseconds, request: number): void {
    this.#metrics.statsPolls++;
    this.#poll.took(nowNs, request);
  }

  expire(nowNs: Nanoseconds): void {
    this.#metrics.statsFailures += this.#requests.expire(nowNs);
  }

  /** Forgets the buffer and the last sample, and fails what is outstanding. */
  reset(): void {
    this.#lastSample = undefined;
    this.#poll.reset();
    this.#metrics.statsFailures += this.#requests.failAll('reset');
    this.#isReady = false;
    this.#heldHead = undefined;
    this.#isAsking = false;
  }

  snapshot(): StatsSnapshot {
    return { isReady: this.#isReady, heldHead: this.#heldHead };
  }

  restore(snapshot: StatsSnapshot): void {
    this.#isReady = snapshot.isReady;
    this.#heldHead = snapshot.heldHead;
    this.#isAsking = false;
  }

  /**
   * Serves what was drained.
   *
   * @returns true if the driver wants an interrupt.
   */
  serve(queue: SplitQueue): boolean {
    const { batch } = queue;
    for (let chain = 0; chain < batch.length; chain++) {
      if (batch.isMalformed(chain)) queue.giveBack(batch.headOf(chain), 0);
      else this.#take(queue, chain);
    }
    this.#giveHeldBack(queue);
    return queue.publish();
  }

  /** Asks for a sample if one is wanted and the buffer is here. Returns true if the driver wants an interrupt. */
  ask(queue: SplitQueue): boolean {
    this.#giveHeldBack(queue);
    return queue.publish();
  }

  #take(queue: SplitQueue, chain: number): void {
    const head = queue.batch.headOf(chain);
    if (this.#heldHead !== undefined) {
      this.#faults.count('stats-extra-buffer');
      queue.giveBack(head, 0);
      return;
    }
    this.#isReady = true;
    this.#heldHead = head;
    if (this.#isAsking && this.#requests.isAsked) this.#publishSample(queue, chain);
    else this.#metrics.statsStale++;
    this.#isAsking = false;
  }

  #giveHeldBack(queue: SplitQueue): void {
    if (this.#heldHead === undefined || !this.#requests.isWaiting) return;
    queue.giveBack(this.#heldHead, 0);
    this.#heldHead = undefined;
    this.#isAsking = true;
    this.#requests.ask();
  }

  #publishSample(queue: SplitQueue, chain: number): void {
    const length = this.#readSample(queue, chain);
    if (length === undefined) {
      this.#metrics.statsFailures += this.#requests.failAsked('malformed');
      return;
    }
    const parsed = parseStats(this.#buffer.subarray(0, length));
    if (parsed.remainder !== 0) this.#faults.count('stats-length');
    this.#faults.count('stats-value', parsed.unusable);
    this.#metrics.statsSamples++;
    this.#lastSample = {
      stats: parsed.stats,
      askedNs: this.#requests.askedNs ?? 0,
      answeredNs: this.#time?.nowNs,
    };
    this.#requests.answer(parsed.stats);
  }

  /** How many bytes the chain put into the buffer; undefined if they cannot be a sample. */
  #readSample(queue: SplitQueue, chain: number): number | undefined {
    const { batch } = queue;
    let length = 0;
    const end = batch.firstOf(chain + 1);
    for (let descriptor = batch.firstOf(chain); descriptor < end; descriptor++) {
      if (batch.isWritable(descriptor)) {
        this.#faults.count('write-only-buffer');
        return undefined;
      }
      const start = length;
      length += batch.lengthOf(descriptor);
      if (length > MAX_STATS_BYTES) {
        this.#faults.count('stats-length');
        return undefined;
      }
      if (length === start) continue;
      const into = this.#buffer.subarray(start, length);
      if (this.#memory.read(batch.addressOf(descriptor), into) !== 'ok') {
        this.#faults.count('buffer-outside-ram');
        return undefined;
      }
    }
    return length;
  }
}
