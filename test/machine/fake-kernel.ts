/** The size of the file that `bzImageHead` is the head of. */
export const KERNEL_FILE_BYTES = 40 * 512 + 14_165_952;

/** The head of a bzImage with the numbers of Debian's 6.1 cloud kernel, and bytes changed at the offsets given. */
export function bzImageHead(changes: Readonly<Record<number, readonly number[]>> = {}): Uint8Array {
  const head = new Uint8Array(4096);
  const view = new DataView(head.buffer);
  head[0x1f1] = 39;
  view.setUint32(0x1f4, (KERNEL_FILE_BYTES - 40 * 512) / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  head[0x201] = 0x6a;
  head.set(new TextEncoder().encode('HdrS'), 0x202);
  view.setUint16(0x206, 0x020f, true);
  head[0x211] = 1;
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint16(0x236, 0x7f, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, 0x3378000, true);
  for (const [offset, bytes] of Object.entries(changes)) head.set(bytes, Number(offset));
  return head;
}

/** The size of the file that `arm64ImageHead` is the head of. */
export const ARM64_FILE_BYTES = 0x19c0000;

/** The head of an Image with the numbers of Debian's 6.1 cloud kernel for arm64, and bytes changed at the offsets given. */
export function arm64ImageHead(
  changes: Readonly<Record<number, readonly number[]>> = {},
): Uint8Array {
  const head = new Uint8Array(4096);
  const view = new DataView(head.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setBigUint64(0x10, 0x1ab0000n, true);
  view.setUint32(0x18, 0xa, true);
  head.set(new TextEncoder().encode('ARM\x64'), 0x38);
  const efi = 0x40;
  view.setUint32(0x3c, efi, true);
  head.set(new TextEncoder().encode('PE'), efi);
  view.setUint16(efi + 6, 2, true);
  view.setUint16(efi + 20, 160, true);
  const text = efi + 24 + 160;
  view.setUint32(text + 16, 0x11f0000, true);
  view.setUint32(text + 20, 0x10000, true);
  view.setUint32(text + 40 + 16, ARM64_FILE_BYTES - 0x1200000, true);
  view.setUint32(text + 40 + 20, 0x1200000, true);
  for (const [offset, bytes] of Object.entries(changes)) head.set(bytes, Number(offset));
  return head;
}
