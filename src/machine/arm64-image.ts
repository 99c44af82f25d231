import type { Bytes } from '../hal/contract/units.js';
import { GuestImageError } from './linux-guest.js';

/** How much of the file its headers lie in. */
export const IMAGE_HEAD_BYTES: Bytes = 4096;

/** What an Image says of itself (Documentation/arch/arm64/booting.rst). */
export interface Arm64Image {
  /** From a multiple of 2 MiB. */
  readonly textOffset: Bytes;
  /** Memory that the kernel needs from there on: more than the file has. */
  readonly imageBytes: Bytes;
}

const IMAGE_MAGIC = 0x644d5241;
const IMAGE_HEADER_BYTES = 64;
const FLAG_BIG_ENDIAN = 1n;
const LARGEST_IMAGE = 2 ** 32;

/**
 * Reads the head of an arm64 Image.
 *
 * @param head the file's first IMAGE_HEAD_BYTES, or all of it if it is shorter.
 * @throws GuestImageError BAD_KERNEL, TRUNCATED_IMAGE
 */
export function parseArm64Image(path: string, head: Uint8Array, fileBytes: Bytes): Arm64Image {
  const bad = (what: string): GuestImageError =>
    new GuestImageError(
      'BAD_KERNEL',
      `${path} is no kernel that can be booted: ${what}. Give an arm64 Image, such as Debian's /boot/vmlinuz-*`,
    );
  if (head.length < IMAGE_HEADER_BYTES) throw bad(`it has only ${fileBytes} bytes`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0x38, true) !== IMAGE_MAGIC) throw bad(otherKind(view));
  if ((view.getBigUint64(0x18, true) & FLAG_BIG_ENDIAN) !== 0n) throw bad('it is big-endian');
  const textOffset = Number(view.getBigUint64(0x8, true));
  const imageBytes = Number(view.getBigUint64(0x10, true));
  if (imageBytes === 0) throw bad('it is older than Linux 3.17 and does not say how large it is');
  if (textOffset + imageBytes > LARGEST_IMAGE) throw bad('it says that it is larger than 4 GiB');
  const whole = fileEnd(view);
  if (fileBytes < whole) {
    throw new GuestImageError(
      'TRUNCATED_IMAGE',
      `the kernel ${path} is cut off: it has ${fileBytes} of ${whole} bytes. Get it again`,
    );
  }
  return { textOffset, imageBytes };
}

/** Likely mistakes: another architecture's kernel, and a packed one. */
function otherKind(view: DataView): string {
  if (view.getUint16(0, true) === 0x8b1f) return 'it is packed with gzip; unpack it with gunzip';
  if (view.getUint32(4, true) === 0x676d697a) return 'it is packed for EFI (zboot); unpack it';
  const isBzImage = view.byteLength >= 0x206 && view.getUint32(0x202, true) === 0x53726448;
  return isBzImage ? 'it is a bzImage for x86_64' : 'it has no Image header';
}

/**
 * Where the file ends, by its EFI header; 0 if it has none. (The Image's own header counts memory, with what is not in
 * the file.)
 */
function fileEnd(view: DataView): Bytes {
  const isEfi = view.getUint16(0, true) === 0x5a4d;
  const at = view.getUint32(0x3c, true);
  if (!isEfi || at + 24 > view.byteLength || view.getUint32(at, true) !== 0x4550) return 0;
  const sections = view.getUint16(at + 6, true);
  const table = at + 24 + view.getUint16(at + 20, true);
  let end = 0;
  for (let section = 0; section < sections; section++) {
    const entry = table + section * 40;
    if (entry + 40 > view.byteLength) break;
    end = Math.max(end, view.getUint32(entry + 16, true) + view.getUint32(entry + 20, true));
  }
  return end;
}
