import { BALLOON_PAGE_BYTES, type Bytes, type GuestAddress } from '../../hal/contract/units.js';
import type { GuestFaults } from '../virtio/guest-faults.js';
import { QUEUE_SIZE } from './constants.js';
import { type BalloonMetrics, countDiscard } from './metrics.js';
import type { PageDiscarder } from './page-discarder.js';

/**
 * Free memory that the descriptors of one drain name: the buffers themselves are the ranges (virtio 1.2, 5.5.6.5 and
 * 5.5.6.7), nothing is read from them. Given back as few ranges as they make, whatever their size.
 */
export class FreeRanges {
  readonly #discarder: PageDiscarder;
  readonly #faults: GuestFaults;
  readonly #metrics: BalloonMetrics;
  /** [first frame, count, …]: a drain has no more descriptors than its queue has entries. */
  readonly #ranges = new Float64Array(QUEUE_SIZE * 2);
  #count = 0;
  /**
   * What the guest expects to find in its free pages; 0 if it expects nothing. A discarded page reads as zero, so with
   * any other value nothing is discarded.
   */
  poisonValue = 0;

  constructor(discarder: PageDiscarder, faults: GuestFaults, metrics: BalloonMetrics) {
    this.#discarder = discarder;
    this.#faults = faults;
    this.#metrics = metrics;
  }

  /** Pages at the ends that are in the range only in part are left out. */
  add(address: GuestAddress, length: Bytes): void {
    const first = Math.ceil(address / BALLOON_PAGE_BYTES);
    const end = Math.floor((address + length) / BALLOON_PAGE_BYTES);
    if (address % BALLOON_PAGE_BYTES !== 0 || length % BALLOON_PAGE_BYTES !== 0) {
      this.#faults.count('range-unaligned');
    }
    if (end <= first) return;
    this.#ranges[this.#count * 2] = first;
    this.#ranges[this.#count * 2 + 1] = end - first;
    this.#count++;
  }

  /**
   * Gives back what was added, and forgets it.
   *
   * @returns how many pages of RAM that were.
   */
  giveBack(): number {
    const count = this.#count;
    this.#count = 0;
    if (count === 0) return 0;
    const outcome =
      this.poisonValue === 0
        ? this.#discarder.discardRanges(this.#ranges, count)
        : this.#discarder.measureRanges(this.#ranges, count);
    countDiscard(this.#metrics, outcome);
    this.#faults.count('range-overlap', outcome.duplicates);
    this.#faults.count('range-outside-ram', outcome.outsideRam);
    if (this.poisonValue !== 0) this.#metrics.poisonedPagesKept += outcome.pages;
    return outcome.pages;
  }
}
