import type { HalOf } from '../../hal/contract/define.js';
import type { Bytes, GuestAddress } from '../../hal/contract/units.js';
import { BALLOON_PAGE_BYTES } from '../../hal/contract/units.js';
import type { Mmap } from '../../hal/mmap.js';

/** One stretch of guest RAM: `size` bytes at `address`, found at `offset` of a region. All are multiples of 4096. */
export interface RamPart {
  readonly address: GuestAddress;
  readonly size: Bytes;
  readonly region: number;
  readonly offset: Bytes;
}

/**
 * The outcome of an access at an address that a guest chose. Anything but 'ok' is a refusal, and nothing was accessed:
 * - 'overflow': the address or its end is beyond 2^53, so beyond any RAM;
 * - 'unmapped': the first byte is no RAM;
 * - 'gap': it starts in RAM and runs into a hole or off the end;
 * - 'misaligned': the access must be aligned, and is not.
 */
export type Access = 'ok' | 'overflow' | 'unmapped' | 'gap' | 'misaligned';

/**
 * Guest RAM by guest-physical address. RAM may have holes (the one for MMIO below 4 GiB); an access over two parts that
 * touch is legal and is split, one into a hole is refused as a value, never as an exception: addresses come from guests.
 */
export class GuestMemory {
  /** Ascending, not overlapping; neighbours that are one stretch of one region are merged. */
  readonly parts: readonly RamPart[];
  /** All of RAM, holes not counted. */
  readonly size: Bytes;
  readonly mmap: HalOf<typeof Mmap>;
  readonly #wordBytes = new Uint8Array(4096);

  /** @throws RangeError if parts overlap or are not page-aligned: that is the machine's mistake, not the guest's. */
  constructor(mmap: HalOf<typeof Mmap>, parts: readonly RamPart[]) {
    this.mmap = mmap;
    this.parts = mergeParts(parts);
    this.size = this.parts.reduce((sum, part) => sum + part.size, 0);
  }

  /** Whether `length` bytes at `address` are RAM. Zero bytes are, anywhere below 2^53. */
  check(address: GuestAddress, length: Bytes): Access {
    const end = address + length;
    if (!(end <= Number.MAX_SAFE_INTEGER)) return 'overflow';
    if (length === 0) return 'ok';
    let part = this.#partAt(address);
    if (part === undefined) return 'unmapped';
    while (end > part.address + part.size) {
      part = this.#partAt(part.address + part.size);
      if (part === undefined) return 'gap';
    }
    return 'ok';
  }

  /** Fills `into` with the bytes at `address`. */
  read(address: GuestAddress, into: Uint8Array): Access {
    const access = this.check(address, into.length);
    if (access !== 'ok') return access;
    let done = 0;
    while (done < into.length) {
      const part = this.#mapped(address + done);
      const inside = address + done - part.address;
      const length = Math.min(into.length - done, part.size - inside);
      const target = length === into.length ? into : into.subarray(done, done + length);
      this.mmap.read({ region: part.region, offset: part.offset + inside, into: target });
      done += length;
    }
    return 'ok';
  }

  /** Fills `into` with little-endian 16-bit values. The address must be even. */
  readU16Array(address: GuestAddress, into: Uint16Array): Access {
    const access = address % 2 === 0 ? this.check(address, into.byteLength) : 'misaligned';
    if (access !== 'ok') return access;
    let done = 0;
    while (done < into.length) {
      const part = this.#mapped(address + done * 2);
      const inside = address + done * 2 - part.address;
      const count = Math.min(into.length - done, (part.size - inside) / 2);
      const target = count === into.length ? into : into.subarray(done, done + count);
      this.mmap.readU16Array({ region: part.region, offset: part.offset + inside, into: target });
      done += count;
    }
    return 'ok';
  }

  /** Fills `into` with little-endian 32-bit values, at any address: a guest need not align its buffers. */
  readU32Array(address: GuestAddress, into: Uint32Array): Access {
    const access = this.check(address, into.byteLength);
    if (access !== 'ok') return access;
    if (address % 4 !== 0) return this.#readUnaligned(address, into);
    let done = 0;
    while (done < into.length) {
      const part = this.#mapped(address + done * 4);
      const inside = address + done * 4 - part.address;
      const count = Math.min(into.length - done, (part.size - inside) / 4);
      const target = count === into.length ? into : into.subarray(done, done + count);
      this.mmap.readU32Array({ region: part.region, offset: part.offset + inside, into: target });
      done += count;
    }
    return 'ok';
  }

  write(address: GuestAddress, data: Uint8Array): Access {
    const access = this.check(address, data.length);
    if (access !== 'ok') return access;
    let done = 0;
    while (done < data.length) {
      const part = this.#mapped(address + done);
      const inside = address + done - part.address;
      const length = Math.min(data.length - done, part.size - inside);
      const source = length === data.length ? data : data.subarray(done, done + length);
      this.mmap.write({ region: part.region, offset: part.offset + inside, data: source });
      done += length;
    }
    return 'ok';
  }

  /** Writes little-endian 32-bit values. The address must be a multiple of 4. */
  writeU32Array(address: GuestAddress, data: Uint32Array): Access {
    const access = address % 4 === 0 ? this.check(address, data.byteLength) : 'misaligned';
    if (access !== 'ok') return access;
    let done = 0;
    while (done < data.length) {
      const part = this.#mapped(address + done * 4);
      const inside = address + done * 4 - part.address;
      const count = Math.min(data.length - done, (part.size - inside) / 4);
      const source = count === data.length ? data : data.subarray(done, done + count);
      this.mmap.writeU32Array({ region: part.region, offset: part.offset + inside, data: source });
      done += count;
    }
    return 'ok';
  }

  /** Loads 16 bits with acquire ordering. The address was checked: even, and in RAM. */
  loadAcquireU16(address: GuestAddress): number {
    const part = this.#mapped(address);
    const offset = part.offset + (address - part.address);
    return this.mmap.loadAcquireU16({ region: part.region, offset });
  }

  /** Stores 16 bits with release ordering. The address was checked: even, and in RAM. */
  storeReleaseU16(address: GuestAddress, value: number): void {
    const part = this.#mapped(address);
    const offset = part.offset + (address - part.address);
    this.mmap.storeReleaseU16({ region: part.region, offset, value });
  }

  #readUnaligned(address: GuestAddress, into: Uint32Array): Access {
    const wordsAtOnce = this.#wordBytes.length / 4;
    for (let done = 0; done < into.length; done += wordsAtOnce) {
      const count = Math.min(wordsAtOnce, into.length - done);
      const bytes = this.#wordBytes.subarray(0, count * 4);
      const access = this.read(address + done * 4, bytes);
      if (access !== 'ok') return access;
      const view = new DataView(bytes.buffer, 0, bytes.length);
      for (let index = 0; index < count; index++) {
        into[done + index] = view.getUint32(index * 4, true);
      }
    }
    return 'ok';
  }

  #partAt(address: GuestAddress): RamPart | undefined {
    for (const part of this.parts) {
      if (address >= part.address && address < part.address + part.size) return part;
    }
    return undefined;
  }

  #mapped(address: GuestAddress): RamPart {
    const part = this.#partAt(address);
    if (part === undefined) {
      throw new RangeError(`guest address ${address} is no RAM; check it before the access`);
    }
    return part;
  }
}

function mergeParts(parts: readonly RamPart[]): readonly RamPart[] {
  const merged: RamPart[] = [];
  for (const part of [...parts].sort((a, b) => a.address - b.address)) {
    checkPart(part);
    const last = merged.at(-1);
    if (last !== undefined && last.address + last.size > part.address) {
      throw new RangeError(`RAM at ${part.address} overlaps the part at ${last.address}`);
    }
    if (last !== undefined && continues(last, part)) {
      merged[merged.length - 1] = { ...last, size: last.size + part.size };
    } else {
      merged.push(part);
    }
  }
  return merged;
}

function continues(last: RamPart, part: RamPart): boolean {
  return (
    last.address + last.size === part.address &&
    last.region === part.region &&
    last.offset + last.size === part.offset
  );
}

function checkPart(part: RamPart): void {
  for (const value of [part.address, part.size, part.offset]) {
    if (!Number.isSafeInteger(value) || value < 0 || value % BALLOON_PAGE_BYTES !== 0) {
      throw new RangeError(`RAM is given in whole pages of 4096 bytes, got ${value}`);
    }
  }
}
