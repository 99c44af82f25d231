import type { RamPart } from '../devices/virtio/guest-memory.js';
import type { GuestAddress } from '../hal/contract/units.js';
import { acpiTables } from './acpi-tables.js';
import { BZIMAGE_HEAD_BYTES, type BzImage, parseBzImage, SETUP_HEADER } from './bzimage.js';
import type { BootContext, GuestBoot } from './guest-boot.js';
import { virtioSlot } from './layout.js';
import {
  commandLineText,
  type LinuxGuest,
  type LoadedInitrd,
  loadInitrd,
  tooLittleMemory,
} from './linux-guest.js';
import { attachPcBoard, PC_POWER_PORTS, PC_SERIAL } from './pc-board.js';
import type { EntryPoint } from './platform.js';
import { BOOT_PARAMETERS } from './x86-64-boot.js';

/** A free place for the file's head, until the kernel is loaded over it. */
const SCRATCH: GuestAddress = 0x100000;
const KERNEL: GuestAddress = 0x100000;
const COMMAND_LINE: GuestAddress = 0x20000;
/** From here to 1 MiB a PC has its firmware. */
const ACPI_TABLES: GuestAddress = 0xe0000;
const END_OF_LOW_RAM: GuestAddress = 0x9fc00;

const ZERO_PAGE_BYTES = 4096;
const E820_RAM = 1;
const E820_RESERVED = 2;
const LOADER_UNDEFINED = 0xff;

/** Boots an unmodified bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst), with ACPI. */
export function x86Linux(guest: LinuxGuest): GuestBoot {
  return { attach: attachPcBoard, load: (context) => loadLinux(guest, context) };
}

function loadLinux(guest: LinuxGuest, context: BootContext): EntryPoint {
  const { mmap, memory, cpus } = context;
  const low = memory.parts[0] as RamPart;
  const image = readHead(guest.kernel, context, low);
  const kernelEnd = Math.max(image.preferredAddress, KERNEL) + image.initBytes;
  if (kernelEnd > low.size) throw tooLittleMemory('the kernel alone', kernelEnd);
  const { region } = low;
  mmap.loadRange({
    region,
    offset: low.offset + KERNEL,
    path: guest.kernel,
    fileOffset: image.kernelOffset,
    maxLength: image.kernelBytes,
  });
  const limit = image.highestInitrd + 1;
  const initrd =
    guest.initrd === null
      ? undefined
      : loadInitrd(mmap, low, guest.initrd, { floor: kernelEnd, limit });
  memory.write(COMMAND_LINE, commandLineText(guest.commandLine, image.longestCommandLine));
  const virtio = guest.virtioSlots.map(virtioSlot);
  const acpi = acpiTables(ACPI_TABLES, {
    cpus,
    virtio,
    serial: PC_SERIAL,
    power: PC_POWER_PORTS,
  });
  memory.write(ACPI_TABLES, acpi.bytes);
  memory.write(BOOT_PARAMETERS, zeroPage(image, memory.parts, initrd, acpi.rsdp));
  return { instruction: KERNEL + image.entryOffset, argument: BOOT_PARAMETERS };
}

function readHead(path: string, { mmap, memory }: BootContext, low: RamPart): BzImage {
  if (low.size < SCRATCH + BZIMAGE_HEAD_BYTES) {
    throw tooLittleMemory('a Linux guest', 128 * 2 ** 20);
  }
  const { length, fileLength } = mmap.loadRange({
    region: low.region,
    offset: low.offset + SCRATCH,
    path,
    fileOffset: 0,
    maxLength: BZIMAGE_HEAD_BYTES,
  });
  const head = new Uint8Array(length);
  memory.read(SCRATCH, head);
  return parseBzImage(path, head, fileLength);
}

/** `struct boot_params`: the setup header, what the loader says, and the memory map. */
export function zeroPage(
  image: BzImage,
  ram: readonly RamPart[],
  initrd: LoadedInitrd | undefined,
  rsdp: GuestAddress,
): Uint8Array {
  const bytes = new Uint8Array(ZERO_PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(image.setupHeader, SETUP_HEADER);
  view.setUint32(0x70, rsdp, true);
  view.setUint8(0x210, LOADER_UNDEFINED);
  view.setUint32(0x228, COMMAND_LINE, true);
  if (initrd !== undefined) {
    view.setUint32(0x218, initrd.address, true);
    view.setUint32(0x21c, initrd.size, true);
  }
  const map = memoryMap(ram);
  view.setUint8(0x1e8, map.length);
  for (const [index, { address, size, type }] of map.entries()) {
    const at = 0x2d0 + index * 20;
    view.setBigUint64(at, BigInt(address), true);
    view.setBigUint64(at + 8, BigInt(size), true);
    view.setUint32(at + 16, type, true);
  }
  return bytes;
}

interface MapEntry {
  readonly address: GuestAddress;
  readonly size: number;
  readonly type: number;
}

function memoryMap(ram: readonly RamPart[]): readonly MapEntry[] {
  const [low, ...high] = ram;
  const lowEnd = low?.size ?? 0;
  return [
    { address: 0, size: END_OF_LOW_RAM, type: E820_RAM },
    { address: END_OF_LOW_RAM, size: KERNEL - END_OF_LOW_RAM, type: E820_RESERVED },
    { address: KERNEL, size: lowEnd - KERNEL, type: E820_RAM },
    ...high.map(({ address, size }) => ({ address, size, type: E820_RAM })),
  ];
}
