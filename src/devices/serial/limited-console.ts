import type { Console } from '../../hal/console.js';
import type { HalOf } from '../../hal/contract/define.js';
import { type Nanoseconds, NS_PER_S } from '../../hal/contract/units.js';

export interface ConsoleLimits {
  /** Lines, or pieces of lines, that are shown in one window; the rest of the window's are dropped. */
  readonly lines: number;
  readonly window: Nanoseconds;
}

/** Far more than the micro guest or a booting kernel writes, and little enough for a trace to bear. */
const CONSOLE_LIMITS: ConsoleLimits = { lines: 2000, window: NS_PER_S };

export interface LimitedConsoleOptions {
  readonly console: Pick<HalOf<typeof Console>, 'write'>;
  /** Where the time of the turn comes from. */
  readonly events: { readonly nowNs: number };
  readonly limits?: ConsoleLimits | undefined;
}

/**
 * The console, guarded against a guest that floods it. What is too much is dropped and counted; the next that is shown
 * says how many.
 */
export class LimitedConsole {
  readonly #options: LimitedConsoleOptions;
  readonly #limits: ConsoleLimits;
  #windowStart = Number.NEGATIVE_INFINITY;
  #shownInWindow = 0;
  #droppedSinceShown = 0;
  #dropped = 0;

  constructor(options: LimitedConsoleOptions) {
    this.#options = options;
    this.#limits = options.limits ?? CONSOLE_LIMITS;
  }

  /** Lines that were not shown because too many came at once. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether a line that is written in this turn would be shown. */
  mayShow(): boolean {
    const { nowNs } = this.#options.events;
    if (nowNs - this.#windowStart >= this.#limits.window) {
      this.#windowStart = nowNs;
      this.#shownInWindow = 0;
    }
    return this.#shownInWindow < this.#limits.lines;
  }

  /** Counts a line that nobody will see. */
  drop(): void {
    this.#dropped++;
    this.#droppedSinceShown++;
  }

  /** @returns false if it was dropped. */
  write(line: Uint8Array): boolean {
    if (!this.mayShow()) {
      this.drop();
      return false;
    }
    this.#shownInWindow++;
    this.#reportDropped();
    this.#options.console.write({ data: line });
    return true;
  }

  #reportDropped(): void {
    const count = this.#droppedSinceShown;
    if (count === 0) return;
    this.#droppedSinceShown = 0;
    const notice = `[${count} console lines of the guest were dropped: too many at once]\n`;
    this.#options.console.write({ data: new TextEncoder().encode(notice) });
  }
}
