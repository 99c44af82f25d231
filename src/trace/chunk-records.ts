import { RECORD_HEAD_BYTES } from './mcap-records.js';

/**
 * Visits the records of an unpacked chunk. (The message cursor has its own copy of this loop, for
 * speed.)
 * @returns false if they do not fit together.
 */
export function visitRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (opcode: number, content: number, length: number) => void,
): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  while (at < end) {
    if (end - at < RECORD_HEAD_BYTES) return false;
    const length = view.getUint32(at + 1, true);
    const content = at + RECORD_HEAD_BYTES;
    if (view.getUint32(at + 5, true) !== 0 || length > end - content) return false;
    visit(view.getUint8(at), content, length);
    at = content + length;
  }
  return true;
}
