import type { Bytes } from '../hal/contract/units.js';

/** The one message of the control channel: the absolute number of bytes the balloon should hold, u64 little-endian. */
export function encodeTarget(targetBytes: Bytes): Uint8Array {
  const message = new Uint8Array(8);
  new DataView(message.buffer).setBigUint64(0, BigInt(targetBytes), true);
  return message;
}
