import type { Bytes } from '../../hal/contract/units.js';
import { LimitedConsole, type LimitedConsoleOptions } from './limited-console.js';
import { LineBuffer, LONGEST_LINE, textOf } from './line-buffer.js';

const NEWLINE = 0x0a;
/** What has no newline is shown at the latest when there is so much of it. */
const LONGEST_BLOCK: Bytes = 256;

export interface TransmitterOptions extends LimitedConsoleOptions {
  /** Each line that was shown, without its end. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** What was written and not shown yet, and the line that it belongs to. Plain data. */
export interface TransmitterSnapshot {
  readonly block: Uint8Array;
  readonly line: Uint8Array;
}

/** Gathers what the guest writes, byte by byte, into lines and blocks for the console. */
export class Transmitter {
  readonly #screen: LimitedConsole;
  readonly #lines: LineBuffer;
  readonly #block = new Uint8Array(LONGEST_BLOCK);
  #used = 0;

  constructor(options: TransmitterOptions) {
    const { onLine } = options;
    this.#screen = new LimitedConsole(options);
    this.#lines = new LineBuffer((line) => onLine?.(textOf(line)));
  }

  /** Lines and blocks that were not shown because too many came at once. */
  get dropped(): number {
    return this.#screen.dropped;
  }

  send(byte: number): void {
    this.#block[this.#used++] = byte;
    if (byte === NEWLINE || this.#used === LONGEST_BLOCK) this.show();
  }

  /** Shows what was gathered. The line goes on. */
  show(): void {
    if (this.#used === 0) return;
    const block = this.#block.slice(0, this.#used);
    this.#used = 0;
    if (this.#screen.write(block)) this.#lines.append(block);
  }

  /** Shows what was gathered, and takes the line under way for a whole one. */
  flush(): void {
    this.show();
    this.#lines.flush();
  }

  snapshot(): TransmitterSnapshot {
    return { block: this.#block.slice(0, this.#used), line: this.#lines.unfinished };
  }

  /** Whether a transmitter can have held this. */
  canHold({ block, line }: TransmitterSnapshot): boolean {
    const isUnfinished = !block.includes(NEWLINE) && !line.includes(NEWLINE);
    return isUnfinished && block.length < LONGEST_BLOCK && line.length < LONGEST_LINE;
  }

  restore({ block, line }: TransmitterSnapshot): void {
    this.#block.set(block);
    this.#used = block.length;
    this.#lines.restore(line);
  }
}
