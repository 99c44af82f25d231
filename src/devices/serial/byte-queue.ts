import type { Bytes } from '../../hal/contract/units.js';

const FIRST_SIZE: Bytes = 64;

/** Bytes in their order, up to a limit. Takes memory only as it fills. */
export class ByteQueue {
  readonly #capacity: Bytes;
  #ring = new Uint8Array(0);
  #head = 0;
  #length = 0;

  constructor(capacity: Bytes) {
    this.#capacity = capacity;
  }

  get length(): Bytes {
    return this.#length;
  }

  /** @returns how many of the bytes fitted; the rest is not taken. */
  push(bytes: Uint8Array): Bytes {
    const taken = Math.min(bytes.length, this.#capacity - this.#length);
    this.#reserve(this.#length + taken);
    const ring = this.#ring;
    for (let index = 0; index < taken; index++) {
      ring[(this.#head + this.#length + index) % ring.length] = bytes[index] ?? 0;
    }
    this.#length += taken;
    return taken;
  }

  /** The oldest byte, taken out; undefined if there is none. */
  shift(): number | undefined {
    if (this.#length === 0) return undefined;
    const byte = this.#ring[this.#head];
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#length--;
    return byte;
  }

  clear(): void {
    this.#head = 0;
    this.#length = 0;
  }

  /** A copy of all that is held, oldest first. */
  get contents(): Uint8Array {
    const copy = new Uint8Array(this.#length);
    for (let index = 0; index < copy.length; index++) {
      copy[index] = this.#ring[(this.#head + index) % this.#ring.length] ?? 0;
    }
    return copy;
  }

  #reserve(length: Bytes): void {
    if (length <= this.#ring.length) return;
    let size = Math.max(FIRST_SIZE, this.#ring.length);
    while (size < length) size *= 2;
    const ring = new Uint8Array(Math.min(size, this.#capacity));
    ring.set(this.contents);
    this.#ring = ring;
    this.#head = 0;
  }
}
