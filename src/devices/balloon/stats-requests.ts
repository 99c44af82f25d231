import type { Nanoseconds } from '../../hal/contract/units.js';
import type { BalloonStats } from './stats.js';

/**
 * Why a request for statistics got no answer. The last two only where the device is in a process of its own: its driver
 * had offered no buffer, or the process ended.
 */
export type StatsFailure = 'timed-out' | 'malformed' | 'reset' | 'not-ready' | 'device-lost';

export interface StatsListener {
  statsAnswered(request: number, stats: BalloonStats): void;
  statsFailed(request: number, reason: StatsFailure): void;
}

interface Request {
  readonly id: number;
  readonly madeNs: Nanoseconds;
  readonly deadlineNs: Nanoseconds;
}

/**
 * Who waits for statistics. A sample answers only those who asked before the guest was asked for it: what was prepared
 * earlier would be stale. So requests that come while the guest prepares a sample wait for the one after it.
 */
export class StatsRequests {
  readonly #timeoutNs: Nanoseconds;
  readonly #listener: StatsListener;
  #lastId = 0;
  /** They are answered by the sample that the guest prepares now. */
  #asked: Request[] = [];
  /** They are for the next sample. */
  #waiting: Request[] = [];

  constructor(timeoutNs: Nanoseconds, listener: StatsListener) {
    this.#timeoutNs = timeoutNs;
    this.#listener = listener;
  }

  add(nowNs: Nanoseconds): number {
    this.#lastId++;
    this.#waiting.push({
      id: this.#lastId,
      madeNs: nowNs,
      deadlineNs: nowNs + this.#timeoutNs,
    });
    return this.#lastId;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get isAsked(): boolean {
    return this.#asked.length > 0;
  }

  isOutstanding(id: number): boolean {
    const isIt = (request: Request): boolean => request.id === id;
    return this.#asked.some(isIt) || this.#waiting.some(isIt);
  }

  /** When the latest request that the guest works for was made; undefined if there is none any more. */
  get askedNs(): Nanoseconds | undefined {
    return this.#asked.at(-1)?.madeNs;
  }

  /** When the next request times out; undefined if there is none. */
  get nextDeadlineNs(): Nanoseconds | undefined {
    return (this.#asked[0] ?? this.#waiting[0])?.deadlineNs;
  }

  /** The guest is asked for a sample now. */
  ask(): void {
    this.#asked.push(...this.#waiting);
    this.#waiting = [];
  }

  answer(stats: BalloonStats): void {
    const answered = this.#asked;
    this.#asked = [];
    for (const request of answered) this.#listener.statsAnswered(request.id, stats);
  }

  /** @returns how many failed. */
  failAsked(reason: StatsFailure): number {
    const failed = this.#asked;
    this.#asked = [];
    for (const request of failed) this.#listener.statsFailed(request.id, reason);
    return failed.length;
  }

  failAll(reason: StatsFailure): number {
    this.ask();
    return this.failAsked(reason);
  }

  /** Fails what was due by now. */
  expire(nowNs: Nanoseconds): number {
    const isDue = (request: Request): boolean => request.deadlineNs <= nowNs;
    const due = [...this.#asked.filter(isDue), ...this.#waiting.filter(isDue)];
    this.#asked = this.#asked.filter((request) => !isDue(request));
    this.#waiting = this.#waiting.filter((request) => !isDue(request));
    for (const request of due) this.#listener.statsFailed(request.id, 'timed-out');
    return due.length;
  }
}
