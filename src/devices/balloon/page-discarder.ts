import { HalError } from '../../hal/contract/errors.js';
import { BALLOON_PAGE_BYTES, type Bytes } from '../../hal/contract/units.js';
import type { GuestMemory, RamPart } from '../virtio/guest-memory.js';
import { HostPages } from './host-pages.js';
import { joinFrameRanges, toFrameRanges } from './pfn-ranges.js';

/** What became of one list of page frames or ranges of them. */
export interface DiscardOutcome {
  /** Frames that stood there more than once. */
  duplicates: number;
  /** Different frames that are no RAM. They are left alone. */
  outsideRam: number;
  /** Different frames of RAM. */
  pages: number;
  /** Byte ranges handed to `Mmap.discard`. */
  ranges: number;
  calls: number;
  /** Calls that the host refused: their pages keep their memory, the guest is no worse off. */
  failures: number;
}

interface DiscardPart {
  readonly ram: RamPart;
  readonly firstFrame: number;
  readonly endFrame: number;
  /** Only where the host's pages are larger than the balloon's. */
  readonly hostPages: HostPages | undefined;
}

/**
 * `given`: the guest gives the pages up until it takes them back. `released`: it only needs their content no longer.
 * `measured`: nothing is done with them.
 */
type Reason = 'given' | 'released' | 'measured';

/** Gives guest page frames back to the host, as few ranges as they make. */
export class PageDiscarder {
  readonly #memory: GuestMemory;
  readonly #parts: readonly DiscardPart[];
  #frameRanges = new Float64Array(512);
  #byteRanges = new Float64Array(512);
  #byteCount = 0;
  readonly #outcome: DiscardOutcome = {
    duplicates: 0,
    outsideRam: 0,
    pages: 0,
    ranges: 0,
    calls: 0,
    failures: 0,
  };

  /** Asks `Mmap.describe` for the page size below each part of RAM, once. */
  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#parts = memory.parts.map((ram) => {
      const { pageSize } = memory.mmap.describe({ region: ram.region });
      const firstFrame = ram.address / BALLOON_PAGE_BYTES;
      return {
        ram,
        firstFrame,
        endFrame: firstFrame + ram.size / BALLOON_PAGE_BYTES,
        hostPages:
          pageSize > BALLOON_PAGE_BYTES ? new HostPages(ram.offset, ram.size, pageSize) : undefined,
      };
    });
  }

  /**
   * Gives back every page of guest RAM in `frames`, which is sorted in place. The outcome is overwritten by the next
   * call. Parts of a range that are no RAM (a hole, beyond the end) are cut out, never rounded.
   */
  discard(frames: Uint32Array): Readonly<DiscardOutcome> {
    this.#makeRoom(frames.length);
    const rangeCount = toFrameRanges(frames, this.#frameRanges);
    return this.#discardByParts(this.#frameRanges, rangeCount, frames.length, 'given');
  }

  /**
   * Gives back what is guest RAM in ranges of frames whose content the guest can do without; it keeps the pages. They
   * are sorted and joined in place. The outcome is overwritten by the next call.
   *
   * @param ranges [first frame, count, …]; counts are above 0.
   * @param count how many ranges there are.
   */
  discardRanges(ranges: Float64Array, count: number): Readonly<DiscardOutcome> {
    this.#makeRoom(count);
    const named = sumOfCounts(ranges, count);
    const joined = joinFrameRanges(ranges, count);
    return this.#discardByParts(ranges, joined, named, 'released');
  }

  /** As `discardRanges`, but every page keeps its content. */
  measureRanges(ranges: Float64Array, count: number): Readonly<DiscardOutcome> {
    const named = sumOfCounts(ranges, count);
    return this.#discardByParts(ranges, joinFrameRanges(ranges, count), named, 'measured');
  }

  /** The guest has these frames again. */
  takeBack(frames: Uint32Array): void {
    if (this.#parts.every((part) => part.hostPages === undefined)) return;
    for (const frame of frames) {
      const part = this.#parts.find((p) => frame >= p.firstFrame && frame < p.endFrame);
      part?.hostPages?.deflate(frame - part.firstFrame);
    }
  }

  /** The guest has all its frames again. */
  takeAllBack(): void {
    for (const part of this.#parts) part.hostPages?.clear();
  }

  /** Ranges and parts of RAM both ascend: one walk over both. */
  #discardByParts(
    ranges: Float64Array,
    rangeCount: number,
    namedFrames: number,
    reason: Reason,
  ): DiscardOutcome {
    const outcome = this.#outcome;
    outcome.calls = 0;
    outcome.failures = 0;
    outcome.ranges = 0;
    outcome.pages = 0;
    let range = 0;
    let region: number | undefined;
    for (const part of this.#parts) {
      if (region !== part.ram.region) this.#flush(region);
      region = part.ram.region;
      for (; range < rangeCount; range++) {
        const first = ranges[range * 2] as number;
        const end = first + (ranges[range * 2 + 1] as number);
        const from = Math.max(first, part.firstFrame);
        const to = Math.min(end, part.endFrame);
        if (from < to) this.#giveUp(part, from - part.firstFrame, to - from, reason);
        // The rest of the range may lie in the next part.
        if (end > part.endFrame) break;
      }
    }
    this.#flush(region);
    const unique = sumOfCounts(ranges, rangeCount);
    outcome.duplicates = namedFrames - unique;
    outcome.outsideRam = unique - outcome.pages;
    return outcome;
  }

  #giveUp(part: DiscardPart, frame: number, count: number, reason: Reason): void {
    this.#outcome.pages += count;
    if (reason === 'measured') return;
    if (part.hostPages === undefined) {
      this.#append(part.ram.offset + frame * BALLOON_PAGE_BYTES, count * BALLOON_PAGE_BYTES);
    } else if (reason === 'released') {
      part.hostPages.release(frame, count, this.#append);
    } else {
      part.hostPages.inflate(frame, count, this.#append);
    }
  }

  readonly #append = (start: Bytes, length: Bytes): void => {
    const bytes = this.#byteRanges;
    const count = this.#byteCount;
    // Parts with a hole between them in the guest may be neighbours in the region.
    if (count > 0 && (bytes[count - 2] as number) + (bytes[count - 1] as number) === start) {
      bytes[count - 1] = (bytes[count - 1] as number) + length;
      return;
    }
    bytes[count] = start;
    bytes[count + 1] = length;
    this.#byteCount = count + 2;
  };

  #flush(region: number | undefined): void {
    if (region === undefined || this.#byteCount === 0) return;
    const ranges = this.#byteRanges.subarray(0, this.#byteCount);
    this.#outcome.calls++;
    this.#outcome.ranges += this.#byteCount / 2;
    this.#byteCount = 0;
    try {
      this.#memory.mmap.discard({ region, ranges });
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
      this.#outcome.failures++;
    }
  }

  #makeRoom(frameCount: number): void {
    if (this.#frameRanges.length < frameCount * 2) {
      this.#frameRanges = new Float64Array(frameCount * 2);
    }
    // A range that runs over several parts makes one byte range in each.
    const needed = frameCount * 2 + this.#parts.length * 2;
    if (this.#byteRanges.length < needed) this.#byteRanges = new Float64Array(needed);
  }
}

function sumOfCounts(ranges: Float64Array, rangeCount: number): number {
  let sum = 0;
  for (let range = 0; range < rangeCount; range++) sum += ranges[range * 2 + 1] as number;
  return sum;
}
