import type { RamPart } from '../devices/virtio/guest-memory.js';
import type { HalOf } from '../hal/contract/define.js';
import { BYTES_PER_MIB, type Bytes, type GuestAddress } from '../hal/contract/units.js';
import type { Mmap } from '../hal/mmap.js';

/** RAM ends here below 4 GiB; from here to 4 GiB are the APICs and the devices. */
export const MMIO_GAP_START: GuestAddress = 0xc0000000;
/** Where RAM that did not fit below the gap goes on. */
export const HIGH_RAM_START: GuestAddress = 2 ** 32;

export const VIRTIO_MMIO_START: GuestAddress = 0xd0000000;
/** Distance of two virtio-mmio devices, and the size of one's window. */
export const VIRTIO_MMIO_SLOT_BYTES: Bytes = 0x1000;
/** The legacy devices own the interrupts below. */
export const FIRST_VIRTIO_GSI = 5;
/** The in-kernel IOAPIC has 24 pins. */
const IOAPIC_PINS = 24;
export const VIRTIO_SLOTS = IOAPIC_PINS - FIRST_VIRTIO_GSI;

/** Boot structures lie below 1 MiB and the image behind it. */
const SMALLEST_RAM: Bytes = 2 * BYTES_PER_MIB;
const PAGE_BYTES = 4096;

/** RAM at `address`, kept at `offset` of the region that holds all of it. */
export interface RamRange {
  readonly address: GuestAddress;
  readonly size: Bytes;
  readonly offset: Bytes;
}

/** Where a virtio-mmio device is, and which interrupt it has. */
export interface MmioSlot {
  readonly address: GuestAddress;
  readonly gsi: number;
}

/**
 * Lays RAM around the gap: 0 to 3 GiB, the rest from 4 GiB.
 *
 * @throws RangeError if the size is no multiple of 4096 or less than 2 MiB.
 */
export function ramRanges(size: Bytes): readonly RamRange[] {
  if (!Number.isSafeInteger(size) || size % PAGE_BYTES !== 0 || size < SMALLEST_RAM) {
    throw new RangeError(
      `RAM of ${size} bytes cannot be laid out; give a multiple of 4096 from ${SMALLEST_RAM} on`,
    );
  }
  const low: RamRange = { address: 0, size: Math.min(size, MMIO_GAP_START), offset: 0 };
  if (size <= MMIO_GAP_START) return [low];
  const high: RamRange = {
    address: HIGH_RAM_START,
    size: size - MMIO_GAP_START,
    offset: low.size,
  };
  return [low, high];
}

/**
 * Creates all of RAM as one region, so that it travels to a device process as one file descriptor, and says where each
 * part of it is for the guest.
 */
export function createRam(
  mmap: HalOf<typeof Mmap>,
  ranges: readonly RamRange[],
): readonly RamPart[] {
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  const region = mmap.createRegion({ name: 'guest-ram', size });
  return ranges.map((range) => ({ ...range, region }));
}

/** @throws RangeError if there is no slot of that number: they are 0 to 18. */
export function virtioSlot(slot: number): MmioSlot {
  if (!Number.isInteger(slot) || slot < 0 || slot >= VIRTIO_SLOTS) {
    throw new RangeError(
      `there is no virtio-mmio slot ${slot}; slots are 0 to ${VIRTIO_SLOTS - 1}`,
    );
  }
  return {
    address: VIRTIO_MMIO_START + slot * VIRTIO_MMIO_SLOT_BYTES,
    gsi: FIRST_VIRTIO_GSI + slot,
  };
}
