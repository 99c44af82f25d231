import type { GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import type { SplitQueue } from '../virtio/split-queue.js';
import { acknowledge } from './acknowledge.js';
import { FrameReader } from './frame-reader.js';
import { type BalloonMetrics, countDiscard } from './metrics.js';
import type { PageDiscarder } from './page-discarder.js';

/** Serves the inflate and the deflate queue. */
export class PageQueues {
  readonly #reader: FrameReader;
  readonly #discarder: PageDiscarder;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;

  constructor(
    memory: GuestMemory,
    discarder: PageDiscarder,
    faults: GuestFaults,
    metrics: BalloonMetrics,
    maxFramesPerDrain: number,
  ) {
    this.#reader = new FrameReader(memory, faults, maxFramesPerDrain);
    this.#discarder = discarder;
    this.#faults = faults;
    this.#metrics = metrics;
  }

  /**
   * Serves what was drained from the inflate queue: the pages are given back before `used.idx` moves, since the driver
   * may use a page again once it saw the acknowledgement (virtio 1.2, 5.5.6.1). A poison value does not matter here: the
   * driver writes it into each page that it takes back (virtio 1.2, 5.5.6.6).
   *
   * @returns true if the driver wants an interrupt.
   */
  inflate(queue: SplitQueue): boolean {
    const frames = this.#reader.read(queue.batch);
    if (frames.length > 0) {
      const outcome = this.#discarder.discard(frames);
      const metrics = this.#metrics;
      this.#faults.count('pfn-duplicate', outcome.duplicates);
      this.#faults.count('pfn-outside-ram', outcome.outsideRam);
      metrics.inflatedPages += outcome.pages;
      countDiscard(metrics, outcome);
    }
    this.#metrics.inflateRequests += queue.batch.length;
    return acknowledge(queue);
  }

  /** The driver is gone: what it had given up is the next one's. */
  reset(): void {
    this.#discarder.takeAllBack();
  }

  /** Serves what was drained from the deflate queue. The host gives memory again when the guest touches the page. */
  deflate(queue: SplitQueue): boolean {
    const frames = this.#reader.read(queue.batch);
    this.#discarder.takeBack(frames);
    this.#metrics.deflatedPages += frames.length;
    this.#metrics.deflateRequests += queue.batch.length;
    return acknowledge(queue);
  }
}
