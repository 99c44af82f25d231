import type { BusDevice } from './bus.js';

export const CONSOLE_PORT = 0x3f8;
export const EXIT_PORT = 0x501;
export const LINE_PORT = 0x502;

const MAX_LINE_BYTES = 252;
const ONES = 0xff;

function onlyWrites(write: (data: Uint8Array) => void): BusDevice {
  return { read: (_, size) => new Uint8Array(size).fill(ONES), write: (_, data) => write(data) };
}

/** A port whose bytes are the console's. */
export function bytePort(write: (data: Uint8Array) => void): BusDevice {
  return onlyWrites(write);
}

/** The guest ends itself with a code. */
export function exitPort(exit: (code: number) => void): BusDevice {
  return onlyWrites((data) => exit(data[0] ?? 0));
}

/**
 * The guest writes the address of a line: u32 length, then the text. One exit a line instead of one a byte. A false
 * address or length yields no line.
 *
 * @param readGuest fills the buffer from guest memory; false if there is no RAM.
 */
export function linePort(
  readGuest: (address: number, into: Uint8Array) => boolean,
  write: (data: Uint8Array) => void,
): BusDevice {
  return onlyWrites((data) => {
    if (data.length !== 4) return;
    const address = littleEndian32(data);
    const head = new Uint8Array(4);
    if (!readGuest(address, head)) return;
    const length = littleEndian32(head);
    if (length > MAX_LINE_BYTES) return;
    const line = new Uint8Array(length);
    if (readGuest(address + 4, line)) write(line);
  });
}

function littleEndian32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
