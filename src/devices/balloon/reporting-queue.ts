import type { GuestFaults } from '../virtio/guest-faults.js';
import type { SplitQueue } from '../virtio/split-queue.js';
import { acknowledge } from './acknowledge.js';
import type { FreeRanges } from './free-ranges.js';
import type { BalloonMetrics } from './metrics.js';

/** The free page reporting queue (virtio 1.2, 5.5.6.7): each device-writable buffer is memory that the guest has no use for. */
export class ReportingQueue {
  readonly #ranges: FreeRanges;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;

  constructor(ranges: FreeRanges, faults: GuestFaults, metrics: BalloonMetrics) {
    this.#ranges = ranges;
    this.#faults = faults;
    this.#metrics = metrics;
  }

  /**
   * Serves what was drained. The memory is given back before `used.idx` moves: from then on the guest uses it.
   *
   * @returns true if the driver wants an interrupt.
   */
  serve(queue: SplitQueue): boolean {
    const { batch } = queue;
    const end = batch.firstOf(batch.length);
    for (let descriptor = 0; descriptor < end; descriptor++) {
      if (batch.isWritable(descriptor)) {
        this.#ranges.add(batch.addressOf(descriptor), batch.lengthOf(descriptor));
      } else {
        this.#faults.count('read-only-buffer');
      }
    }
    this.#metrics.reportedPages += this.#ranges.giveBack();
    this.#metrics.reportRequests += batch.length;
    return acknowledge(queue);
  }
}
