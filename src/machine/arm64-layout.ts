import { BYTES_PER_MIB, type Bytes, type GuestAddress } from '../hal/contract/units.js';
import { type MmioSlot, type RamRange, VIRTIO_MMIO_SLOT_BYTES } from './layout.js';
import type { MachineLayout } from './platform.js';

/** RAM begins here and is in one piece; all devices are below. */
export const ARM64_RAM_START: GuestAddress = 0x80000000;
/** KVM gives a guest 40 bits of address, unless it is told otherwise. */
const END_OF_ADDRESSES: GuestAddress = 2 ** 40;
const SMALLEST_RAM: Bytes = 8 * BYTES_PER_MIB;
const PAGE_BYTES = 4096;

/** Interrupts are numbered as KVM_IRQFD takes them: 0 is the first shared one (SPI), id 32 of the controller. */
export const ARM64_SERIAL: MmioSlot = { address: 0x40000000, gsi: 0 };
export const ARM64_SERIAL_BYTES: Bytes = 0x1000;

const VIRTIO_START: GuestAddress = 0x40010000;
const FIRST_VIRTIO_GSI = 1;
const VIRTIO_SLOTS = 32;

/** The interrupt controller has so many ids: 32 that each CPU has for itself, and 96 shared ones. */
export const ARM64_INTERRUPT_IDS = 128;

/** A part of an interrupt controller's registers. */
export interface GicWindow {
  readonly address: GuestAddress;
  readonly size: Bytes;
}

export interface GicLayout {
  readonly version: 2 | 3;
  readonly distributor: GicWindow;
  /** Redistributors (version 3), one window for all CPUs; or the CPU interface (version 2). */
  readonly cpus: GicWindow;
}

/** The controller's windows end here, below the devices. */
const GIC_END: GuestAddress = 0x40000000;
const V3_DISTRIBUTOR_BYTES: Bytes = 0x10000;
const V3_REDISTRIBUTOR_BYTES: Bytes = 0x20000;
const V2_DISTRIBUTOR_BYTES: Bytes = 0x1000;
const V2_CPU_BYTES: Bytes = 0x2000;
/** A GICv2 knows no more. */
export const GICV2_MAX_CPUS = 8;

/** Where the interrupt controller is (sizes: the kernel's include/uapi of arm64, KVM_VGIC_V2 and KVM_VGIC_V3). */
export function gicLayout(version: 2 | 3, cpus: number): GicLayout {
  const size = version === 3 ? V3_DISTRIBUTOR_BYTES : V2_DISTRIBUTOR_BYTES;
  const distributor = { address: GIC_END - size, size };
  const cpuBytes = version === 3 ? V3_REDISTRIBUTOR_BYTES * cpus : V2_CPU_BYTES;
  const address = distributor.address - cpuBytes;
  return { version, distributor, cpus: { address, size: cpuBytes } };
}

export const ARM64_LAYOUT: MachineLayout = { ramRanges, virtioSlot };

/** @throws RangeError if the size is no multiple of 4096, less than 8 MiB, or more than can be addressed. */
function ramRanges(size: Bytes): readonly RamRange[] {
  const largest = END_OF_ADDRESSES - ARM64_RAM_START;
  if (size % PAGE_BYTES !== 0 || !(size >= SMALLEST_RAM && size <= largest)) {
    throw new RangeError(
      `RAM of ${size} bytes cannot be laid out; give a multiple of 4096 from ${SMALLEST_RAM} to ${largest}`,
    );
  }
  return [{ address: ARM64_RAM_START, size, offset: 0 }];
}

/** @throws RangeError if there is no slot of that number: they are 0 to 31. */
function virtioSlot(slot: number): MmioSlot {
  if (!Number.isInteger(slot) || slot < 0 || slot >= VIRTIO_SLOTS) {
    throw new RangeError(
      `there is no virtio-mmio slot ${slot}; slots are 0 to ${VIRTIO_SLOTS - 1}`,
    );
  }
  return { address: VIRTIO_START + slot * VIRTIO_MMIO_SLOT_BYTES, gsi: FIRST_VIRTIO_GSI + slot };
}
