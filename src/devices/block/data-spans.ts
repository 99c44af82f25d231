import type { Bytes } from '../../hal/contract/units.js';
import type { ChainBatch } from '../virtio/chain-batch.js';
import type { Access, GuestMemory } from '../virtio/guest-memory.js';

/** Neighbouring spans in one region: what one call to `Disk` moves. */
export interface SpanRun {
  readonly region: number;
  /** Pairs [start, length, …] in bytes. */
  readonly ranges: Float64Array;
  readonly bytes: Bytes;
}

/**
 * Some of the bytes of a chain, and where they are in the regions below guest memory. How a driver cuts a request into
 * descriptors has no meaning (virtio 1.2, 2.7.4.1), and a descriptor may lie over several parts of RAM.
 */
export class DataSpans {
  /** All of them together. */
  bytes: Bytes = 0;
  readonly #memory: GuestMemory;
  #ranges = new Float64Array(512);
  #regions = new Uint32Array(256);
  #count = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /**
   * Takes bytes [skip, skip + take) of what the device may write in this chain, or of what it may read. There must be
   * that many. On a refusal the spans are of no use.
   */
  take(batch: ChainBatch, chain: number, writable: boolean, skip: Bytes, take: Bytes): Access {
    this.bytes = 0;
    this.#count = 0;
    const end = batch.firstOf(chain + 1);
    let toSkip = skip;
    for (let at = batch.firstOf(chain); at < end && this.bytes < take; at++) {
      if (batch.isWritable(at) !== writable) continue;
      const length = batch.lengthOf(at);
      const skipped = Math.min(length, toSkip);
      toSkip -= skipped;
      const part = Math.min(length - skipped, take - this.bytes);
      if (part === 0) continue;
      const access = this.#add(batch.addressOf(at) + skipped, part);
      if (access !== 'ok') return access;
    }
    return 'ok';
  }

  /** Copies all of them out: for headers, not for data. */
  read(into: Uint8Array): void {
    this.#each((region, offset, start, end) => {
      const target = end - start === into.length ? into : into.subarray(start, end);
      this.#memory.mmap.read({ region, offset, into: target });
    });
  }

  /** Writes all of them. */
  write(data: Uint8Array): void {
    this.#each((region, offset, start, end) => {
      this.#memory.mmap.write({ region, offset, data: data.subarray(start, end) });
    });
  }

  /** In order. The ranges are good until the next `take`. */
  *runs(): Generator<SpanRun> {
    for (let first = 0; first < this.#count; ) {
      const region = this.#regions[first] as number;
      let bytes = 0;
      let end = first;
      for (; end < this.#count && this.#regions[end] === region; end++) {
        bytes += this.#ranges[end * 2 + 1] as number;
      }
      yield { region, ranges: this.#ranges.subarray(first * 2, end * 2), bytes };
      first = end;
    }
  }

  #each(visit: (region: number, offset: Bytes, start: Bytes, end: Bytes) => void): void {
    let done = 0;
    for (let at = 0; at < this.#count; at++) {
      const length = this.#ranges[at * 2 + 1] as number;
      visit(this.#regions[at] as number, this.#ranges[at * 2] as number, done, done + length);
      done += length;
    }
  }

  #add(address: number, length: Bytes): Access {
    const access = this.#memory.check(address, length);
    if (access !== 'ok') return access;
    this.bytes += length;
    const end = address + length;
    for (const part of this.#memory.parts) {
      const from = Math.max(address, part.address);
      const to = Math.min(end, part.address + part.size);
      if (from < to) this.#append(part.region, part.offset + from - part.address, to - from);
    }
    return 'ok';
  }

  #append(region: number, start: Bytes, length: Bytes): void {
    const last = this.#count - 1;
    const lastLength = this.#ranges[last * 2 + 1] as number;
    if (
      last >= 0 &&
      this.#regions[last] === region &&
      (this.#ranges[last * 2] as number) + lastLength === start
    ) {
      this.#ranges[last * 2 + 1] = lastLength + length;
      return;
    }
    if (this.#count === this.#regions.length) this.#grow();
    this.#regions[this.#count] = region;
    this.#ranges[this.#count * 2] = start;
    this.#ranges[this.#count * 2 + 1] = length;
    this.#count++;
  }

  #grow(): void {
    const regions = new Uint32Array(this.#regions.length * 2);
    const ranges = new Float64Array(this.#ranges.length * 2);
    regions.set(this.#regions);
    ranges.set(this.#ranges);
    this.#regions = regions;
    this.#ranges = ranges;
  }
}
