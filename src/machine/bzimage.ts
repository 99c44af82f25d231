import type { Bytes, GuestAddress } from '../hal/contract/units.js';
import { GuestImageError } from './linux-guest.js';

/** How much of the file the setup header lies in. */
export const BZIMAGE_HEAD_BYTES: Bytes = 4096;

/** Where the setup header is, in the file and in the zero page (Documentation/arch/x86/boot.rst). */
export const SETUP_HEADER: Bytes = 0x1f1;

/** What the boot protocol says of a kernel. */
export interface BzImage {
  /** Where the protected-mode part begins in the file; all behind it is loaded. */
  readonly kernelOffset: Bytes;
  readonly kernelBytes: Bytes;
  /** Offset of the 64-bit entry in the part that is loaded. */
  readonly entryOffset: Bytes;
  /** Where the kernel moves itself to, and how much it needs from there on. */
  readonly preferredAddress: GuestAddress;
  readonly initBytes: Bytes;
  readonly highestInitrd: GuestAddress;
  readonly longestCommandLine: Bytes;
  /** The setup header as it is to stand in the zero page, from SETUP_HEADER on. */
  readonly setupHeader: Uint8Array;
}

const SECTOR_BYTES = 512;
const BOOT_FLAG = 0xaa55;
const HEADER_MAGIC = 0x53726448;
/** 2.12 brought xloadflags. */
const OLDEST_PROTOCOL = 0x020c;
const LOADFLAG_HIGH = 1;
const XLOADFLAG_64_BIT = 1;
const ENTRY_64 = 0x200;
const PARAGRAPH_BYTES = 16;

/**
 * Reads the head of a bzImage.
 *
 * @param head the file's first BZIMAGE_HEAD_BYTES, or all of it if it is shorter.
 * @throws GuestImageError BAD_KERNEL, TRUNCATED_IMAGE
 */
export function parseBzImage(path: string, head: Uint8Array, fileBytes: Bytes): BzImage {
  const bad = (what: string): GuestImageError =>
    new GuestImageError(
      'BAD_KERNEL',
      `${path} is no kernel that can be booted: ${what}. Give an x86_64 bzImage, such as Debian's /boot/vmlinuz-*`,
    );
  if (head.length < 0x268) throw bad(`it has only ${fileBytes} bytes`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (isArm64Image(view)) throw bad('it is an Image for arm64');
  if (view.getUint16(0x1fe, true) !== BOOT_FLAG || view.getUint32(0x202, true) !== HEADER_MAGIC) {
    throw bad('it has no setup header');
  }
  const protocol = view.getUint16(0x206, true);
  if (protocol < OLDEST_PROTOCOL) {
    throw bad(
      `its boot protocol is ${protocol >> 8}.${protocol & 0xff}, 2.12 is the oldest that will do`,
    );
  }
  if ((view.getUint8(0x211) & LOADFLAG_HIGH) === 0) throw bad('it is a zImage');
  if ((view.getUint16(0x236, true) & XLOADFLAG_64_BIT) === 0) throw bad('it has no 64-bit entry');
  const setupSectors = view.getUint8(SETUP_HEADER) || 4;
  const kernelOffset = (setupSectors + 1) * SECTOR_BYTES;
  const kernelBytes = view.getUint32(0x1f4, true) * PARAGRAPH_BYTES;
  if (fileBytes < kernelOffset + kernelBytes) {
    throw new GuestImageError(
      'TRUNCATED_IMAGE',
      `the kernel ${path} is cut off: it has ${fileBytes} of ${kernelOffset + kernelBytes} bytes. Get it again`,
    );
  }
  const headerEnd = 0x202 + view.getUint8(0x201);
  return {
    kernelOffset,
    kernelBytes: fileBytes - kernelOffset,
    entryOffset: ENTRY_64,
    preferredAddress: Number(view.getBigUint64(0x258, true)),
    initBytes: view.getUint32(0x260, true),
    highestInitrd: view.getUint32(0x22c, true),
    longestCommandLine: view.getUint32(0x238, true),
    setupHeader: head.slice(SETUP_HEADER, headerEnd),
  };
}

/** A kernel for the other architecture is the most likely mistake. */
function isArm64Image(view: DataView): boolean {
  return view.getUint32(0x38, true) === 0x644d5241;
}
