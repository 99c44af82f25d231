import type { HalOf } from '../../src/hal/contract/define.js';
import type { Mmap } from '../../src/hal/mmap.js';

export interface Buffer {
  readonly address: number;
  readonly length: number;
  readonly writable?: boolean;
  /** Flags to set beside NEXT and WRITE. */
  readonly flags?: number;
}

export interface UsedElement {
  readonly id: number;
  readonly length: number;
}

const FLAG_NEXT = 1;
const FLAG_WRITE = 2;

/**
 * The guest's side of one split ring, over the same memory. It follows the rules by default; the raw methods let a test
 * break each of them. Addresses are offsets into the region.
 */
export class DriverQueue {
  readonly size: number;
  readonly descriptors: number;
  readonly avail: number;
  readonly used: number;
  availIndex = 0;
  usedSeen = 0;
  readonly #mmap: HalOf<typeof Mmap>;
  readonly #region: number;
  #nextFree = 0;

  constructor(mmap: HalOf<typeof Mmap>, region: number, base: number, size: number) {
    this.#mmap = mmap;
    this.#region = region;
    this.size = size;
    this.descriptors = base;
    this.avail = base + 16 * size;
    this.used = this.avail + Math.ceil((6 + 2 * size) / 4096) * 4096;
  }

  get layout() {
    const { size, descriptors, avail, used } = this;
    return { size, descriptors, avail, used };
  }

  /** Makes one chain of these buffers available, without a kick. Returns its head. */
  post(...buffers: readonly Buffer[]): number {
    const head = this.#nextFree;
    buffers.forEach((buffer, position) => {
      const index = (head + position) % this.size;
      const isLast = position === buffers.length - 1;
      const next = (index + 1) % this.size;
      const flags =
        (buffer.flags ?? 0) |
        (isLast ? 0 : FLAG_NEXT) |
        (buffer.writable === true ? FLAG_WRITE : 0);
      this.writeDescriptor(index, buffer.address, buffer.length, flags, isLast ? 0 : next);
    });
    this.#nextFree = (head + buffers.length) % this.size;
    this.pushHead(head);
    return head;
  }

  /** Puts a head into the avail ring and moves the index, whatever the head is. */
  pushHead(head: number): void {
    const slot = this.availIndex % this.size;
    this.#mmap.write({
      region: this.#region,
      offset: this.avail + 4 + slot * 2,
      data: new Uint8Array([head & 0xff, head >> 8]),
    });
    this.setAvailIndex(this.availIndex + 1);
  }

  setAvailIndex(value: number): void {
    this.availIndex = value & 0xffff;
    this.#store16(this.avail + 2, this.availIndex);
  }

  setAvailFlags(value: number): void {
    this.#store16(this.avail, value);
  }

  writeDescriptor(
    index: number,
    address: number,
    length: number,
    flags: number,
    next: number,
  ): void {
    const words = [address % 2 ** 32, Math.floor(address / 2 ** 32), length, flags | (next << 16)];
    this.#mmap.writeU32Array({
      region: this.#region,
      offset: this.descriptors + index * 16,
      data: new Uint32Array(words),
    });
  }

  get usedIndex(): number {
    return this.#mmap.loadAcquireU16({ region: this.#region, offset: this.used + 2 });
  }

  /** The used elements since the last call. */
  takeUsed(): UsedElement[] {
    const elements: UsedElement[] = [];
    const end = this.usedIndex;
    while (this.usedSeen !== end) {
      const into = new Uint32Array(2);
      const offset = this.used + 4 + (this.usedSeen % this.size) * 8;
      this.#mmap.readU32Array({ region: this.#region, offset, into });
      elements.push({ id: into[0] ?? 0, length: into[1] ?? 0 });
      this.usedSeen = (this.usedSeen + 1) & 0xffff;
    }
    return elements;
  }

  /** The driver starts over, as it does after a reset. */
  restart(): void {
    const bytes = this.used + 6 + 8 * this.size - this.descriptors;
    this.#mmap.write({
      region: this.#region,
      offset: this.descriptors,
      data: new Uint8Array(bytes),
    });
    this.availIndex = 0;
    this.usedSeen = 0;
    this.#nextFree = 0;
  }

  #store16(offset: number, value: number): void {
    this.#mmap.storeReleaseU16({ region: this.#region, offset, value });
  }
}

/** What a driver does to virtio-mmio registers. */
export class MmioDriver {
  readonly #bus: RegisterBus;

  constructor(bus: RegisterBus) {
    this.#bus = bus;
  }

  read32(offset: number): number {
    const bytes = this.#bus.read(offset, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  write32(offset: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#bus.write(offset, bytes);
  }

  writeStatus(value: number): void {
    this.write32(0x70, value);
  }

  get status(): number {
    return this.read32(0x70);
  }

  /** Up to FEATURES_OK, taking what is offered and wanted. */
  negotiate(wantedLow = 0xffffffff): void {
    this.writeStatus(1);
    this.writeStatus(3);
    for (const word of [0, 1]) {
      this.write32(0x14, word);
      const offered = this.read32(0x10);
      this.write32(0x24, word);
      this.write32(0x20, word === 0 ? (offered & wantedLow) >>> 0 : offered);
    }
    this.writeStatus(0xb);
  }

  queueMax(index: number): number {
    this.write32(0x30, index);
    return this.read32(0x34);
  }

  setUpQueue(
    index: number,
    layout: { size: number; descriptors: number; avail: number; used: number },
  ): void {
    this.write32(0x30, index);
    this.write32(0x38, layout.size);
    this.#writeAddress(0x80, layout.descriptors);
    this.#writeAddress(0x90, layout.avail);
    this.#writeAddress(0xa0, layout.used);
    this.write32(0x44, 1);
  }

  kick(index: number): void {
    this.write32(0x50, index);
  }

  #writeAddress(offset: number, address: number): void {
    this.write32(offset, address % 2 ** 32);
    this.write32(offset + 4, Math.floor(address / 2 ** 32));
  }
}

interface RegisterBus {
  read(offset: number, size: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
}
