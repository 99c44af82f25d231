import { LimitedConsole, type LimitedConsoleOptions } from '../devices/serial/limited-console.js';
import { LineBuffer, textOf } from '../devices/serial/line-buffer.js';
import type { GuestMemory } from '../devices/virtio/guest-memory.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { BusDevice } from './bus.js';

export type { ConsoleLimits } from '../devices/serial/limited-console.js';

/** Bytes, one an access (where a PC has its first serial port). */
export const CONSOLE_BYTE_PORT: GuestAddress = 0x3f8;
/** The guest-physical address of a `struct guest_line` (native/guest/guest_abi.h), 32 bits. */
export const CONSOLE_LINE_PORT: GuestAddress = 0x502;

const LONGEST_GUEST_LINE = 252;

export interface ConsolePortOptions extends LimitedConsoleOptions {
  readonly memory: GuestMemory;
  /** Each line that is shown, without its newline. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/**
 * The guest's way to say something. Lines come byte by byte or whole, and go to the user whole. A guest that floods its
 * console has its lines dropped and counted; the next line that is shown says how many.
 */
export class ConsolePort {
  readonly #memory: GuestMemory;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #screen: LimitedConsole;
  readonly #lines = new LineBuffer((line) => this.#show(line));
  #badLines = 0;

  /** Port 0x3f8: one byte wide. Reads find nothing. */
  readonly bytePort: BusDevice = {
    read: nothing,
    write: (_offset, data) => this.#lines.append(data),
  };

  /** Port 0x502: four bytes wide. */
  readonly linePort: BusDevice = {
    read: nothing,
    write: (offset, data) => this.#appendLineAt(offset, data),
  };

  constructor(options: ConsolePortOptions) {
    this.#memory = options.memory;
    this.#onLine = options.onLine;
    this.#screen = new LimitedConsole(options);
  }

  /** Lines that were not shown because too many came at once. */
  get droppedLines(): number {
    return this.#screen.dropped;
  }

  /** Writes to the line port that named no line: not 32 bits, or an address outside of RAM. */
  get badLines(): number {
    return this.#badLines;
  }

  /** Shows what was written after the last newline. */
  flush(): void {
    this.#lines.flush();
  }

  #appendLineAt(offset: number, data: Uint8Array): void {
    if (offset !== 0 || data.length !== 4) {
      this.#badLines++;
      return;
    }
    // Checked before the line is read: what nobody sees shall cost nothing.
    if (!this.#screen.mayShow()) {
      this.#screen.drop();
      return;
    }
    const memory = this.#memory;
    const address = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
    const length = new Uint32Array(1);
    if (memory.readU32Array(address, length) !== 'ok') {
      this.#badLines++;
      return;
    }
    const text = new Uint8Array(Math.min(length[0] ?? 0, LONGEST_GUEST_LINE));
    if (memory.read(address + 4, text) === 'ok') this.#lines.append(text);
    else this.#badLines++;
  }

  #show(line: Uint8Array): void {
    if (this.#screen.write(line)) this.#onLine?.(textOf(line));
  }
}

function nothing(_offset: number, size: number): Uint8Array {
  return new Uint8Array(size).fill(0xff);
}
