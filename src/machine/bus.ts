import type { Bytes, GuestAddress } from '../hal/contract/units.js';

export type AddressSpace = 'mmio' | 'pio';

/** What answers a range of addresses. */
export interface BusDevice {
  /** @returns `size` bytes. */
  read(offset: number, size: number): Uint8Array;
  write(offset: number, data: Uint8Array): void;
}

interface Window {
  readonly start: GuestAddress;
  readonly end: GuestAddress;
  readonly device: BusDevice;
}

/** Accesses that no device answers. */
export interface BusCounters {
  unmappedReads: number;
  unmappedWrites: number;
}

/** Finds the device at an address. Reads of nothing are all ones, writes to nothing are dropped; both are counted. */
export class Bus {
  readonly counters: BusCounters = { unmappedReads: 0, unmappedWrites: 0 };
  readonly #windows: Record<AddressSpace, Window[]> = { mmio: [], pio: [] };

  /** @throws RangeError if the range overlaps another one. */
  add(space: AddressSpace, address: GuestAddress, size: Bytes, device: BusDevice): void {
    const window = { start: address, end: address + size, device };
    const windows = this.#windows[space];
    const clash = windows.find((other) => other.start < window.end && window.start < other.end);
    if (clash !== undefined) {
      throw new RangeError(
        `${space} 0x${address.toString(16)}..0x${window.end.toString(16)} overlaps the device at ` +
          `0x${clash.start.toString(16)}`,
      );
    }
    windows.push(window);
  }

  read(space: AddressSpace, address: GuestAddress, size: number): Uint8Array {
    const window = this.#find(space, address, size);
    if (window !== undefined) return window.device.read(address - window.start, size);
    this.counters.unmappedReads++;
    return new Uint8Array(size).fill(0xff);
  }

  write(space: AddressSpace, address: GuestAddress, data: Uint8Array): void {
    const window = this.#find(space, address, data.length);
    if (window !== undefined) window.device.write(address - window.start, data);
    else this.counters.unmappedWrites++;
  }

  #find(space: AddressSpace, address: GuestAddress, size: number): Window | undefined {
    return this.#windows[space].find(
      (window) => address >= window.start && address + size <= window.end,
    );
  }
}
