import { Clock } from '../../hal/clock.js';
import type { HalOf } from '../../hal/contract/define.js';
import type { Nanoseconds } from '../../hal/contract/units.js';
import type { EventSource } from '../../reactor/reactor.js';

/** A balloon in this process, or `RemoteStats`. */
export interface StatsSource {
  requestStats(nowNs: Nanoseconds): number | 'not-ready';
  /** How often to poll; 0 is never. */
  readonly statsIntervalNs: Nanoseconds;
  readonly statsDeadlineNs: Nanoseconds | undefined;
  expireStats(nowNs: Nanoseconds): void;
  pollStats(nowNs: Nanoseconds): number | 'not-ready' | 'not-due' | 'outstanding';
}

/**
 * The owner's part of statistics: the time. One timer, made when it is first needed; while nothing is polled it runs only
 * while an answer is due.
 */
export class StatsTimer {
  readonly #clock: HalOf<typeof Clock>;
  readonly #events: Pick<EventSource, 'on' | 'nowNs'>;
  readonly #source: StatsSource;
  #timer: { readonly handle: number; readonly unsubscribe: () => void } | undefined;
  /** Undefined while nothing is polled. */
  #nextPollNs: Nanoseconds | undefined;

  constructor(
    clock: HalOf<typeof Clock>,
    events: Pick<EventSource, 'on' | 'nowNs'>,
    source: StatsSource,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#source = source;
  }

  /** Asks once, and sees to it that the request does not wait for ever. */
  request(): number | 'not-ready' {
    const request = this.#source.requestStats(this.#events.nowNs);
    this.#arm();
    return request;
  }

  /** Polls from now on, as often as the source says. */
  poll(): void {
    this.#nextPollNs = this.#source.statsIntervalNs === 0 ? undefined : this.#events.nowNs;
    this.#arm();
  }

  close(): void {
    if (this.#timer === undefined) return;
    this.#timer.unsubscribe();
    this.#clock.closeTimer({ timer: this.#timer.handle });
    this.#timer = undefined;
    this.#nextPollNs = undefined;
  }

  /** For whatever comes first: the next poll, or the deadline of a request. */
  #arm(): void {
    const never = Number.POSITIVE_INFINITY;
    const next = Math.min(this.#nextPollNs ?? never, this.#source.statsDeadlineNs ?? never);
    if (next === never) return;
    const first = Math.max(1, next - this.#events.nowNs);
    this.#clock.arm({ timer: this.#open(), first, period: 0 });
  }

  #open(): number {
    if (this.#timer !== undefined) return this.#timer.handle;
    const handle = this.#clock.createTimer({ name: 'balloon.stats' });
    const unsubscribe = this.#events.on(Clock, 'expired', handle, () => this.#expired());
    this.#timer = { handle, unsubscribe };
    return handle;
  }

  #expired(): void {
    const { nowNs } = this.#events;
    this.#source.expireStats(nowNs);
    if (this.#nextPollNs !== undefined && this.#nextPollNs <= nowNs) {
      this.#source.pollStats(nowNs);
      this.#nextPollNs = nowNs + this.#source.statsIntervalNs;
    }
    this.#arm();
  }
}
