import type { Nanoseconds } from '../../hal/contract/units.js';

/** When statistics are due again. It keeps no time: its owner has the timer and says what time it is. */
export class StatsPoll {
  /** 0: never. Any change is fine: unlike a device that offers no statistics queue then, this one can start at any time. */
  intervalNs: Nanoseconds;
  /** The last request of ours. */
  #request: number | undefined;
  #lastNs: Nanoseconds | undefined;

  constructor(intervalNs: Nanoseconds) {
    this.intervalNs = intervalNs;
  }

  get request(): number | undefined {
    return this.#request;
  }

  /** Undefined if nothing is polled; 0 before the first time. */
  get dueNs(): Nanoseconds | undefined {
    if (this.intervalNs === 0) return undefined;
    return this.#lastNs === undefined ? 0 : this.#lastNs + this.intervalNs;
  }

  /** The guest was asked, or still works for the request before and is left in peace until the next time. */
  took(nowNs: Nanoseconds, request: number | undefined): void {
    this.#lastNs = nowNs;
    this.#request = request;
  }

  reset(): void {
    this.#lastNs = undefined;
    this.#request = undefined;
  }
}
