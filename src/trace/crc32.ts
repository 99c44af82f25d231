import * as zlib from 'node:zlib';

/** CRC-32 of ISO 3309, as zlib has it, going on from `before`. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** Node has it built in from 20.15 on; the newest Node for 32-bit arm that npm has is older, and shall replay too. */
export const crc32: Crc32 = (zlib as { readonly crc32?: Crc32 }).crc32 ?? crc32ByTable;

/** Reversed bits, as the CRC is. */
const POLYNOMIAL = 0xedb88320;
let table: Uint32Array | undefined;

/** What `crc32` is where Node has none. */
export function crc32ByTable(bytes: Uint8Array, before = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
    }
    return remainder;
  });
  let crc = ~before;
  for (let at = 0; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
