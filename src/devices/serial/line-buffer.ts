import type { Bytes } from '../../hal/contract/units.js';

/** A guest that never ends its line gets it cut here. */
export const LONGEST_LINE: Bytes = 1024;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Puts lines together out of what comes in pieces. */
export class LineBuffer {
  readonly #onLine: (line: Uint8Array) => void;
  readonly #line = new Uint8Array(LONGEST_LINE);
  #used = 0;

  /** @param onLine gets each line with its newline, if it had one; it may keep it. */
  constructor(onLine: (line: Uint8Array) => void) {
    this.#onLine = onLine;
  }

  append(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#line[this.#used++] = byte;
      if (byte === NEWLINE || this.#used === LONGEST_LINE) this.flush();
    }
  }

  /** Ends the line that has no newline yet. */
  flush(): void {
    if (this.#used === 0) return;
    const line = this.unfinished;
    this.#used = 0;
    this.#onLine(line);
  }

  /** What came since the last newline: less than `LONGEST_LINE` bytes. */
  get unfinished(): Uint8Array {
    return this.#line.slice(0, this.#used);
  }

  /** Forgets the line under way and goes on with another, of less than `LONGEST_LINE` bytes without a newline. */
  restore(unfinished: Uint8Array): void {
    this.#used = 0;
    this.append(unfinished);
  }
}

const decoder = new TextDecoder();

/** A line as text, without its end (Linux writes "\r\n"). What is not UTF-8 is replaced. */
export function textOf(line: Uint8Array): string {
  let end = line.length;
  if (line[end - 1] === NEWLINE) end--;
  while (line[end - 1] === CARRIAGE_RETURN) end--;
  return decoder.decode(line.subarray(0, end));
}
