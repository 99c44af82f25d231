import type { GuestMemory } from '../devices/virtio/guest-memory.js';
import type { Console } from '../hal/console.js';
import type { HalOf } from '../hal/contract/define.js';
import { type GuestAddress, type Nanoseconds, NS_PER_S } from '../hal/contract/units.js';
import type { BusDevice } from './bus.js';

/** Bytes, one an access (where a PC has its first serial port). */
export const CONSOLE_BYTE_PORT: GuestAddress = 0x3f8;
/** The guest-physical address of a `struct guest_line` (native/guest/guest_abi.h), 32 bits. */
export const CONSOLE_LINE_PORT: GuestAddress = 0x502;

const LONGEST_GUEST_LINE = 252;
/** A guest that never ends its line gets it cut here. */
const LONGEST_LINE = 1024;
const NEWLINE = 0x0a;

export interface ConsoleLimits {
  /** Lines that are shown in one window; the rest of the window's are dropped. */
  readonly lines: number;
  readonly window: Nanoseconds;
}

/** Far more than the micro guest or a booting kernel writes, and little enough for a trace to bear. */
export const CONSOLE_LIMITS: ConsoleLimits = { lines: 2000, window: NS_PER_S };

export interface ConsolePortOptions {
  readonly console: HalOf<typeof Console>;
  readonly memory: GuestMemory;
  /** Where the time of the turn comes from. */
  readonly events: { readonly nowNs: number };
  /** Each line that is shown, without its newline. */
  readonly onLine?: ((line: string) => void) | undefined;
  readonly limits?: ConsoleLimits | undefined;
}

/**
 * The guest's way to say something. Lines come byte by byte or whole, and go to the user whole. A guest that floods its
 * console has its lines dropped and counted; the next line that is shown says how many.
 */
export class ConsolePort {
  readonly #options: ConsolePortOptions;
  readonly #limits: ConsoleLimits;
  readonly #decoder = new TextDecoder();
  readonly #line = new Uint8Array(LONGEST_LINE);
  #used = 0;
  #windowStart = Number.NEGATIVE_INFINITY;
  #shownInWindow = 0;
  #droppedSinceShown = 0;
  #droppedLines = 0;
  #badLines = 0;

  /** Port 0x3f8: one byte wide. Reads find nothing. */
  readonly bytePort: BusDevice = {
    read: nothing,
    write: (_offset, data) => this.#append(data),
  };

  /** Port 0x502: four bytes wide. */
  readonly linePort: BusDevice = {
    read: nothing,
    write: (offset, data) => this.#appendLineAt(offset, data),
  };

  constructor(options: ConsolePortOptions) {
    this.#options = options;
    this.#limits = options.limits ?? CONSOLE_LIMITS;
  }

  /** Lines that were not shown because too many came at once. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Writes to the line port that named no line: not 32 bits, or an address outside of RAM. */
  get badLines(): number {
    return this.#badLines;
  }

  /** Shows what was written after the last newline. */
  flush(): void {
    if (this.#used > 0) this.#endLine();
  }

  #appendLineAt(offset: number, data: Uint8Array): void {
    if (offset !== 0 || data.length !== 4) {
      this.#badLines++;
      return;
    }
    // Checked before the line is read: what nobody sees shall cost nothing.
    if (!this.#mayShow()) {
      this.#drop();
      return;
    }
    const { memory } = this.#options;
    const address = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
    const length = new Uint32Array(1);
    if (memory.readU32Array(address, length) !== 'ok') {
      this.#badLines++;
      return;
    }
    const text = new Uint8Array(Math.min(length[0] ?? 0, LONGEST_GUEST_LINE));
    if (memory.read(address + 4, text) === 'ok') this.#append(text);
    else this.#badLines++;
  }

  #append(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#line[this.#used++] = byte;
      if (byte === NEWLINE || this.#used === LONGEST_LINE) this.#endLine();
    }
  }

  #endLine(): void {
    const bytes = this.#line.slice(0, this.#used);
    this.#used = 0;
    if (!this.#mayShow()) {
      this.#drop();
      return;
    }
    this.#shownInWindow++;
    this.#reportDropped();
    this.#options.console.write({ data: bytes });
    const { onLine } = this.#options;
    if (onLine === undefined) return;
    const end = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length;
    onLine(this.#decoder.decode(bytes.subarray(0, end)));
  }

  #mayShow(): boolean {
    const { nowNs } = this.#options.events;
    if (nowNs - this.#windowStart >= this.#limits.window) {
      this.#windowStart = nowNs;
      this.#shownInWindow = 0;
    }
    return this.#shownInWindow < this.#limits.lines;
  }

  #drop(): void {
    this.#droppedLines++;
    this.#droppedSinceShown++;
  }

  #reportDropped(): void {
    const count = this.#droppedSinceShown;
    if (count === 0) return;
    this.#droppedSinceShown = 0;
    const notice = `[${count} console lines of the guest were dropped: too many at once]\n`;
    this.#options.console.write({ data: new TextEncoder().encode(notice) });
  }
}

function nothing(_offset: number, size: number): Uint8Array {
  return new Uint8Array(size).fill(0xff);
}
