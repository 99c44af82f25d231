import type { Bytes, GuestAddress } from '../hal/contract/units.js';

/** Where the RAM of an x86_64 guest lies, and the hole that MMIO has in it (Firecracker's layout). */
export const MMIO_GAP_START = 0xc000_0000;
const MMIO_GAP_END = 0x1_0000_0000;
const VIRTIO_MMIO_BASE = 0xd000_0000;
const VIRTIO_MMIO_STRIDE = 0x1000;
/** Size of a device's window: registers and config space. */
export const VIRTIO_MMIO_SIZE = 0x200;
const FIRST_VIRTIO_GSI = 5;
/** An IOAPIC has 24 pins. */
const MAX_SLOTS = 24 - FIRST_VIRTIO_GSI;
export const PAGE_BYTES = 4096;

export interface RamRange {
  readonly address: GuestAddress;
  readonly size: Bytes;
}

/** Splits RAM of the given size around the MMIO hole. @throws RangeError */
export function ramRanges(size: Bytes): RamRange[] {
  if (!Number.isSafeInteger(size) || size <= 0 || size % PAGE_BYTES !== 0) {
    throw new RangeError(`guest RAM must be a whole number of 4096-byte pages, got ${size} bytes`);
  }
  if (size <= MMIO_GAP_START) return [{ address: 0, size }];
  return [
    { address: 0, size: MMIO_GAP_START },
    { address: MMIO_GAP_END, size: size - MMIO_GAP_START },
  ];
}

export interface MmioSlot {
  readonly address: GuestAddress;
  readonly gsi: number;
}

/** The window and the interrupt of the n-th virtio device. */
export function mmioSlot(index: number): MmioSlot {
  if (!Number.isInteger(index) || index < 0 || index >= MAX_SLOTS) {
    throw new RangeError(`there are ${MAX_SLOTS} virtio slots, numbered from 0; got ${index}`);
  }
  return { address: VIRTIO_MMIO_BASE + index * VIRTIO_MMIO_STRIDE, gsi: FIRST_VIRTIO_GSI + index };
}
