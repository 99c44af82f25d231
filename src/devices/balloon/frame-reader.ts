import type { ChainBatch } from '../virtio/chain-batch.js';
import type { GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';

const FRAME_BYTES = 4;
const FIRST_CAPACITY = 4096;

/** Collects the page frames that a drained batch of inflate or deflate requests lists. */
export class FrameReader {
  readonly #memory: GuestMemory;
  readonly #faults: GuestFaults;
  readonly #limit: number;
  #frames = new Uint32Array(FIRST_CAPACITY);
  #count = 0;

  /** @param limit frames of one drain. More are left out and counted: work for one kick must have an end. */
  constructor(memory: GuestMemory, faults: GuestFaults, limit: number) {
    this.#memory = memory;
    this.#faults = faults;
    this.#limit = limit;
  }

  /**
   * All frames of all readable descriptors, in the order they stand there. Good until the next call. A descriptor whose
   * content cannot be a list of frames is skipped and counted.
   */
  read(batch: ChainBatch): Uint32Array {
    this.#count = 0;
    for (let chain = 0; chain < batch.length; chain++) {
      const end = batch.firstOf(chain + 1);
      for (let descriptor = batch.firstOf(chain); descriptor < end; descriptor++) {
        this.#readDescriptor(batch, descriptor);
      }
    }
    return this.#frames.subarray(0, this.#count);
  }

  #readDescriptor(batch: ChainBatch, descriptor: number): void {
    const length = batch.lengthOf(descriptor);
    if (batch.isWritable(descriptor)) {
      this.#faults.count('write-only-buffer');
      return;
    }
    if (length % FRAME_BYTES !== 0) {
      this.#faults.count('pfn-list-length');
      return;
    }
    if (length === 0) return;
    const address = batch.addressOf(descriptor);
    if (this.#memory.check(address, length) !== 'ok') {
      this.#faults.count('buffer-outside-ram');
      return;
    }
    const listed = length / FRAME_BYTES;
    const taken = Math.min(listed, this.#limit - this.#count);
    this.#faults.count('pfn-over-limit', listed - taken);
    if (taken === 0) return;
    this.#makeRoom(this.#count + taken);
    this.#memory.readU32Array(address, this.#frames.subarray(this.#count, this.#count + taken));
    this.#count += taken;
  }

  #makeRoom(needed: number): void {
    if (this.#frames.length >= needed) return;
    let capacity = this.#frames.length;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint32Array(capacity);
    grown.set(this.#frames.subarray(0, this.#count));
    this.#frames = grown;
  }
}
