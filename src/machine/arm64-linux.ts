import type { RamPart } from '../devices/virtio/guest-memory.js';
import { BYTES_PER_MIB, type Bytes } from '../hal/contract/units.js';
import { arm64DeviceTree } from './arm64-device-tree.js';
import { type Arm64Image, IMAGE_HEAD_BYTES, parseArm64Image } from './arm64-image.js';
import { ARM64_LAYOUT, ARM64_SERIAL } from './arm64-layout.js';
import type { Board, BoardContext, BootContext, GuestBoot } from './guest-boot.js';
import { commandLineText, type LinuxGuest, loadInitrd, tooLittleMemory } from './linux-guest.js';
import { PanicWatch } from './panic-watch.js';
import type { EntryPoint } from './platform.js';
import { attachSerial } from './serial-console.js';

/** A device tree may have 2 MiB, and is mapped in blocks of that size: the last whole one of RAM is its. */
const DEVICE_TREE_BYTES: Bytes = 2 * BYTES_PER_MIB;
/** Kernel and initrd lie in a window of this size that begins at a multiple of 1 GiB. */
const WINDOW_BYTES: Bytes = 2 ** 35;
/** COMMAND_LINE_SIZE of arm64, without its NUL; the kernel would cut off the rest in silence. */
const LONGEST_COMMAND_LINE: Bytes = 2047;

/** Boots an unmodified Image (Documentation/arch/arm64/booting.rst), with a device tree. */
export function arm64Linux(guest: LinuxGuest): GuestBoot {
  return { attach: attachBoard, load: (context) => loadLinux(guest, context) };
}

/** Turning the machine off and on is KVM's matter here, by PSCI; a panic shows on the console first. */
function attachBoard(context: BoardContext): Board {
  const { onLine, finish } = context;
  const watch = new PanicWatch(finish);
  const serial = attachSerial(context, { space: 'mmio', ...ARM64_SERIAL }, (line) => {
    onLine?.(line);
    watch.line(line);
  });
  return {
    type: (data) => serial.receive(data),
    close: () => serial.close(),
    reasonOf: (end) => watch.reasonOf(end),
  };
}

function loadLinux(guest: LinuxGuest, context: BootContext): EntryPoint {
  const { mmap, memory, gicVersion = 3, cpuIds = [0] } = context;
  commandLineText(guest.commandLine, LONGEST_COMMAND_LINE);
  const ram = memory.parts[0] as RamPart;
  const image = readHead(guest.kernel, context, ram);
  const entry = ram.address + image.textOffset;
  const kernelEnd = entry + image.imageBytes;
  const ramEnd = ram.address + ram.size;
  const deviceTree = ramEnd - (ramEnd % DEVICE_TREE_BYTES) - DEVICE_TREE_BYTES;
  // The end of RAM may be up to one block behind the device tree's.
  const behindBytes = 2 * DEVICE_TREE_BYTES;
  if (kernelEnd > deviceTree) {
    throw tooLittleMemory('the kernel alone', kernelEnd - ram.address + behindBytes);
  }
  mmap.loadRange({
    region: ram.region,
    offset: ram.offset + image.textOffset,
    path: guest.kernel,
    fileOffset: 0,
    maxLength: image.imageBytes,
  });
  const limit = Math.min(deviceTree, ram.address + WINDOW_BYTES);
  const initrd =
    guest.initrd === null
      ? undefined
      : loadInitrd(mmap, ram, guest.initrd, { floor: kernelEnd, limit, behindBytes });
  const tree = arm64DeviceTree({
    ram: memory.parts,
    cpuIds,
    gicVersion,
    virtio: guest.virtioSlots.map((slot) => ARM64_LAYOUT.virtioSlot(slot)),
    commandLine: guest.commandLine,
    initrd,
    rngSeed: guest.rngSeed,
  });
  memory.write(deviceTree, tree);
  return { instruction: entry, argument: deviceTree };
}

/** It is read where the kernel is loaded over it. */
function readHead(path: string, { mmap, memory }: BootContext, ram: RamPart): Arm64Image {
  const { length, fileLength } = mmap.loadRange({
    region: ram.region,
    offset: ram.offset,
    path,
    fileOffset: 0,
    maxLength: IMAGE_HEAD_BYTES,
  });
  const head = new Uint8Array(length);
  memory.read(ram.address, head);
  return parseArm64Image(path, head, fileLength);
}
