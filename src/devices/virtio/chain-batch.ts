import type { Bytes, GuestAddress } from '../../hal/contract/units.js';

/**
 * The chains that one drain of a queue took, in flat arrays that are used again for the next: no object for each
 * descriptor. Chain `c` has the head `heads[c]` and the descriptors `firstOf(c)` up to, not including, `firstOf(c + 1)`.
 */
export class ChainBatch {
  /** How many chains there are. */
  length = 0;
  readonly heads: Uint16Array;
  /** 1 if the chain was malformed: it has no descriptors here and is only given back. */
  readonly malformed: Uint8Array;
  readonly #firsts: Uint32Array;
  readonly #addresses: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #writable: Uint8Array;
  #descriptors = 0;

  /** @param capacity the queue's size. A descriptor is in one chain only, so that there are no more than that. */
  constructor(capacity: number) {
    this.heads = new Uint16Array(capacity);
    this.malformed = new Uint8Array(capacity);
    this.#firsts = new Uint32Array(capacity + 1);
    this.#addresses = new Float64Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#writable = new Uint8Array(capacity);
  }

  headOf(chain: number): number {
    return this.heads[chain] as number;
  }

  isMalformed(chain: number): boolean {
    return this.malformed[chain] === 1;
  }

  firstOf(chain: number): number {
    return this.#firsts[chain] as number;
  }

  addressOf(descriptor: number): GuestAddress {
    return this.#addresses[descriptor] as number;
  }

  lengthOf(descriptor: number): Bytes {
    return this.#lengths[descriptor] as number;
  }

  isWritable(descriptor: number): boolean {
    return this.#writable[descriptor] === 1;
  }

  clear(): void {
    this.length = 0;
    this.#descriptors = 0;
  }

  /** Starts a chain; its descriptors follow. */
  begin(head: number): void {
    this.heads[this.length] = head;
    this.malformed[this.length] = 0;
    this.#firsts[this.length] = this.#descriptors;
  }

  add(address: GuestAddress, length: Bytes, writable: boolean): void {
    this.#addresses[this.#descriptors] = address;
    this.#lengths[this.#descriptors] = length;
    this.#writable[this.#descriptors] = writable ? 1 : 0;
    this.#descriptors++;
  }

  /** Ends the chain. A malformed one loses its descriptors. */
  end(malformed: boolean): void {
    if (malformed) {
      this.malformed[this.length] = 1;
      this.#descriptors = this.firstOf(this.length);
    }
    this.length++;
    this.#firsts[this.length] = this.#descriptors;
  }
}
