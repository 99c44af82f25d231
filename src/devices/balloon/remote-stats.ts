import { Channel } from '../../hal/channel.js';
import type { HalOf } from '../../hal/contract/define.js';
import { HalError } from '../../hal/contract/errors.js';
import type { Nanoseconds } from '../../hal/contract/units.js';
import type { EventSource } from '../../reactor/reactor.js';
import type { StatsSample } from './stats.js';
import { decodeStatsAnswer, encodeStatsRequest, type StatsAnswer } from './stats-messages.js';
import { StatsPoll } from './stats-poll.js';
import type { StatsFailure, StatsListener } from './stats-requests.js';

export interface RemoteStatsOptions {
  readonly channel: HalOf<typeof Channel>;
  readonly events: Pick<EventSource, 'on' | 'nowNs'>;
  readonly listener: StatsListener;
  /** Longer than the device's own, so that its reason is heard. */
  readonly timeoutNs?: Nanoseconds;
  /** How often `pollStats` asks. Default 0, never. */
  readonly statsIntervalNs?: Nanoseconds;
}

interface Request {
  readonly madeNs: Nanoseconds;
  readonly deadlineNs: Nanoseconds;
}

const DEFAULT_TIMEOUT_NS = 2_000_000_000;

/**
 * Statistics of a balloon in a process of its own: the same calls as the balloon's, and the same listener. Nothing is
 * sent or listened for before the first request. It keeps no time and has no timer: its owner has.
 */
export class RemoteStats {
  /** Messages of the device that answer nothing. */
  strayAnswers = 0;
  readonly #options: RemoteStatsOptions;
  readonly #timeoutNs: Nanoseconds;
  readonly #poll: StatsPoll;
  readonly #outstanding = new Map<number, Request>();
  #control: number | undefined;
  #unsubscribe: (() => void) | undefined;
  #lastId = 0;
  #lastSample: StatsSample | undefined;

  constructor(options: RemoteStatsOptions) {
    this.#options = options;
    this.#timeoutNs = options.timeoutNs ?? DEFAULT_TIMEOUT_NS;
    this.#poll = new StatsPoll(options.statsIntervalNs ?? 0);
  }

  /** The device's control channel: at first, and after each restart. What its predecessor owes is lost. */
  useControl(control: number): void {
    this.end();
    this.#control = control;
  }

  /** The device is gone. The channel is the caller's to close. */
  end(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#control = undefined;
    this.#lastSample = undefined;
    this.#poll.reset();
    for (const id of [...this.#outstanding.keys()]) this.#fail(id, 'device-lost');
  }

  /** @returns the request's number, or 'not-ready' if there is no device that could be asked. */
  requestStats(nowNs: Nanoseconds): number | 'not-ready' {
    const control = this.#control;
    if (control === undefined) return 'not-ready';
    this.#listen(control);
    const id = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    // Before it is sent: a simulated device may answer within the call.
    this.#outstanding.set(id, { madeNs: nowNs, deadlineNs: nowNs + this.#timeoutNs });
    if (!this.#send(control, encodeStatsRequest(id))) {
      this.#outstanding.delete(id);
      return 'not-ready';
    }
    this.#lastId = id;
    return id;
  }

  /** When `expireStats` should be called; undefined if nothing is outstanding. */
  get statsDeadlineNs(): Nanoseconds | undefined {
    for (const { deadlineNs } of this.#outstanding.values()) return deadlineNs;
    return undefined;
  }

  /** Fails the requests whose time is over. */
  expireStats(nowNs: Nanoseconds): void {
    const due = [...this.#outstanding].filter(([, { deadlineNs }]) => deadlineNs <= nowNs);
    for (const [id] of due) this.#fail(id, 'timed-out');
  }

  get statsIntervalNs(): Nanoseconds {
    return this.#poll.intervalNs;
  }

  /** When `pollStats` has something to do; undefined if nothing is polled. */
  get statsPollNs(): Nanoseconds | undefined {
    return this.#control === undefined ? undefined : this.#poll.dueNs;
  }

  /** As the balloon's. */
  pollStats(nowNs: Nanoseconds): number | 'not-ready' | 'not-due' | 'outstanding' {
    this.expireStats(nowNs);
    const { dueNs, request: last } = this.#poll;
    if (dueNs === undefined || dueNs > nowNs) return 'not-due';
    const isOutstanding = last !== undefined && this.#outstanding.has(last);
    const request = isOutstanding ? last : this.requestStats(nowNs);
    if (request === 'not-ready') return request;
    this.#poll.took(nowNs, request);
    return isOutstanding ? 'outstanding' : request;
  }

  /** The newest sample of this device; undefined if there is none. */
  get lastStats(): StatsSample | undefined {
    return this.#lastSample;
  }

  #listen(control: number): void {
    if (this.#unsubscribe !== undefined) return;
    const { events, channel } = this.#options;
    this.#unsubscribe = events.on(Channel, 'message', control, ({ data }) => this.#take(data));
    channel.listen({ channel: control });
  }

  /** A device that does not read, or has just ended, cannot be asked. */
  #send(channel: number, data: Uint8Array): boolean {
    try {
      this.#options.channel.send({ channel, data, attach: [] });
      return true;
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
      return false;
    }
  }

  #take(message: Uint8Array): void {
    const answer = decodeStatsAnswer(message);
    const request = answer && this.#outstanding.get(answer.id);
    if (answer === undefined || request === undefined) this.strayAnswers++;
    else this.#answer(answer, request);
  }

  #answer({ id, outcome }: StatsAnswer, { madeNs }: Request): void {
    if (typeof outcome === 'string') {
      this.#fail(id, outcome);
      return;
    }
    this.#outstanding.delete(id);
    const { events, listener } = this.#options;
    this.#lastSample = { stats: outcome, askedNs: madeNs, answeredNs: events.nowNs };
    listener.statsAnswered(id, outcome);
  }

  #fail(id: number, reason: StatsFailure): void {
    this.#outstanding.delete(id);
    this.#options.listener.statsFailed(id, reason);
  }
}
