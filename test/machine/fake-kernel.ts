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
