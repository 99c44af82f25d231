import type { GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import type { SplitQueue } from '../virtio/split-queue.js';
import { FrameReader } from './frame-reader.js';
import type { BalloonMetrics } from './metrics.js';
import { PageDiscarder } from './page-discarder.js';

/** Serves the inflate and the deflate queue. */
export class PageQueues {
  readonly #reader: FrameReader;
  readonly #discarder: PageDiscarder;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;

  constructor(
    memory: GuestMemory,
    faults: GuestFaults,
    metrics: BalloonMetrics,
    maxFramesPerDrain: number,
  ) {
    this.#reader = new FrameReader(memory, faults, maxFramesPerDrain);
    this.#discarder = new PageDiscarder(memory);
    this.#faults = faults;
    this.#metrics = metrics;
  }

  /**
   * Serves what was drained from the inflate queue: the pages are given back before `used.idx` moves, since the driver
   * may use a page again once it saw the acknowledgement (virtio 1.2, 5.5.6.1).
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
      metrics.discardCalls += outcome.calls;
      metrics.discardRanges += outcome.ranges;
      metrics.discardFailures += outcome.failures;
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

/** Gives every chain back, the malformed ones too: the driver waits for each without a timeout. */
function acknowledge(queue: SplitQueue): boolean {
  const { batch } = queue;
  for (let chain = 0; chain < batch.length; chain++) queue.giveBack(batch.headOf(chain), 0);
  return queue.publish();
}
