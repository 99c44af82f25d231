import type { Bytes } from '../../hal/contract/units.js';
import { ByteQueue } from './byte-queue.js';
import { FIFO_DEPTH } from './constants.js';

/** What a receiver holds. Plain data. */
export interface ReceiverSnapshot {
  /** In the chip: at most 16 bytes, or 1 with the FIFOs off. */
  readonly fifo: Uint8Array;
  /** Behind it. */
  readonly backlog: Uint8Array;
}

/**
 * The receive FIFO, and behind it what the user has typed and the chip has no room for: on a real line it would still be
 * with the sender. A reset of the FIFO empties the chip and not the line.
 */
export class Receiver {
  readonly #fifo = new ByteQueue(FIFO_DEPTH);
  readonly #backlogLimit: Bytes;
  readonly #backlog: ByteQueue;
  #depth = 1;
  #isOpen = false;

  /** @param backlogLimit bytes that may wait behind the FIFO. */
  constructor(backlogLimit: Bytes) {
    this.#backlogLimit = backlogLimit;
    this.#backlog = new ByteQueue(backlogLimit);
  }

  /** Bytes in the FIFO. */
  get available(): Bytes {
    return this.#fifo.length;
  }

  get waiting(): Bytes {
    return this.#backlog.length;
  }

  /** What the user typed. Returns how many bytes found no room anywhere. */
  take(bytes: Uint8Array): Bytes {
    const lost = bytes.length - this.#backlog.push(bytes);
    this.#refill();
    return lost;
  }

  /** One byte of the port's own transmitter. Returns false if a byte was lost (PC16550D, "Overrun Error"). */
  loop(byte: number): boolean {
    const hasRoom = this.#fifo.length < this.#depth;
    // Without FIFOs the new byte overwrites the old one; with them the old ones stay.
    if (!hasRoom && this.#depth === 1) this.#fifo.clear();
    if (hasRoom || this.#depth === 1) this.#fifo.push(Uint8Array.of(byte));
    return hasRoom;
  }

  read(): number {
    const byte = this.#fifo.shift() ?? 0;
    this.#refill();
    return byte;
  }

  clear(): void {
    this.#fifo.clear();
    this.#refill();
  }

  /** Whether the line's bytes come in. */
  setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#refill();
  }

  /** A change of it empties the chip. */
  setFifos(on: boolean): void {
    const depth = depthOf(on);
    if (depth === this.#depth) return;
    this.#depth = depth;
    this.clear();
  }

  snapshot(): ReceiverSnapshot {
    return { fifo: this.#fifo.contents, backlog: this.#backlog.contents };
  }

  /** Whether this receiver, with its FIFOs on or off, can have held this. */
  canHold({ fifo, backlog }: ReceiverSnapshot, hasFifos: boolean): boolean {
    return fifo.length <= depthOf(hasFifos) && backlog.length <= this.#backlogLimit;
  }

  restore({ fifo, backlog }: ReceiverSnapshot, hasFifos: boolean, isOpen: boolean): void {
    this.#fifo.clear();
    this.#backlog.clear();
    this.#depth = depthOf(hasFifos);
    this.#isOpen = isOpen;
    this.#fifo.push(fifo);
    this.#backlog.push(backlog);
    this.#refill();
  }

  #refill(): void {
    if (!this.#isOpen) return;
    while (this.#fifo.length < this.#depth) {
      const byte = this.#backlog.shift();
      if (byte === undefined) return;
      this.#fifo.push(Uint8Array.of(byte));
    }
  }
}

function depthOf(hasFifos: boolean): number {
  return hasFifos ? FIFO_DEPTH : 1;
}
