import type { Bytes, GuestAddress } from '../hal/contract/units.js';

/** x86 has two address spaces for devices; arm64 has only `mmio`. */
export type AddressSpace = 'mmio' | 'pio';

/**
 * An answer that comes later. A device returns one from `read` or `write`, and the vCPU waits until `answer` is called:
 * in any later turn, once.
 */
export class PendingAnswer {
  #data: Uint8Array | undefined;
  #receive: ((data: Uint8Array) => void) | undefined;

  /**
   * Ends the wait.
   *
   * @param data what a read finds, of the size it asked for; ignored for a write.
   * @throws Error if it was answered before.
   */
  answer(data: Uint8Array = new Uint8Array(0)): void {
    if (this.#data !== undefined) throw new Error('a pending access was answered twice');
    this.#data = data;
    this.#receive?.(data);
  }

  /** Hands the answer to whoever serves the exit: at once if it is there already. */
  receive(receiver: (data: Uint8Array) => void): void {
    if (this.#data !== undefined) receiver(this.#data);
    else this.#receive = receiver;
  }
}

/** What sits on a bus. Offsets count from the start of its range. */
export interface BusDevice {
  /** @returns exactly `size` bytes, or the promise of them. */
  read(offset: Bytes, size: Bytes): Uint8Array | PendingAnswer;
  /** @returns a pending answer if the guest has to wait until the write has worked. */
  write(offset: Bytes, data: Uint8Array): void | PendingAnswer;
}

export interface BusRange {
  readonly space: AddressSpace;
  readonly address: GuestAddress;
  readonly size: Bytes;
  readonly device: BusDevice;
}

/** Accesses that met no device. */
export interface UnmappedCounts {
  readonly reads: number;
  readonly writes: number;
}

/**
 * Finds the device for a guest's access. An access belongs to a device only if all of its bytes do; otherwise nobody
 * answers: reads are all ones, writes are ignored, and both are counted.
 */
export class Bus {
  readonly #ranges: Record<AddressSpace, readonly BusRange[]> = { mmio: [], pio: [] };
  #unmappedReads = 0;
  #unmappedWrites = 0;

  get unmapped(): UnmappedCounts {
    return { reads: this.#unmappedReads, writes: this.#unmappedWrites };
  }

  /** @throws RangeError if the range is empty, no range of that space, or overlaps another. */
  add(range: BusRange): void {
    const { space, address, size } = range;
    const end = address + size;
    const limit = space === 'pio' ? 0x10000 : Number.MAX_SAFE_INTEGER;
    const isWhole = Number.isSafeInteger(address) && Number.isSafeInteger(size);
    if (!isWhole || address < 0 || size <= 0 || end > limit) {
      throw new RangeError(`${size} bytes at ${hex(address)} are no range of the ${space} space`);
    }
    const other = this.#ranges[space].find((held) => address < endOf(held) && held.address < end);
    if (other !== undefined) {
      throw new RangeError(
        `${space} ${hex(address)} to ${hex(end)} overlaps the device at ${hex(other.address)} to ` +
          `${hex(endOf(other))}; give each device a range of its own`,
      );
    }
    this.#ranges[space] = [...this.#ranges[space], range];
  }

  /** One access of `size` bytes. */
  read(space: AddressSpace, address: GuestAddress, size: Bytes): Uint8Array | PendingAnswer {
    const range = this.#find(space, address, size);
    if (range === undefined) {
      this.#unmappedReads++;
      return new Uint8Array(size).fill(0xff);
    }
    return range.device.read(address - range.address, size);
  }

  /** One access. The device may keep `data`. */
  write(space: AddressSpace, address: GuestAddress, data: Uint8Array): PendingAnswer | undefined {
    const range = this.#find(space, address, data.length);
    if (range === undefined) {
      this.#unmappedWrites++;
      return undefined;
    }
    return range.device.write(address - range.address, data) ?? undefined;
  }

  #find(space: AddressSpace, address: GuestAddress, size: Bytes): BusRange | undefined {
    for (const range of this.#ranges[space]) {
      if (address >= range.address && address + size <= endOf(range)) return range;
    }
    return undefined;
  }
}

function endOf(range: BusRange): number {
  return range.address + range.size;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
