import type { Nanoseconds } from '../../hal/contract/units.js';
import type { BalloonDevice } from './balloon-device.js';
import type { BalloonStats } from './stats.js';
import { decodeStatsRequest, encodeStatsAnswer } from './stats-messages.js';
import type { StatsFailure, StatsListener } from './stats-requests.js';

type Device = Pick<BalloonDevice, 'requestStats' | 'expireStats'>;

/** The device's side of statistics over the control channel. Listens to its balloon, and answers each request once. */
export class StatsServer implements StatsListener {
  readonly #send: (message: Uint8Array) => void;
  /** What the other side calls the balloon's requests. */
  readonly #ids = new Map<number, number>();

  constructor(send: (message: Uint8Array) => void) {
    this.#send = send;
  }

  /**
   * Takes one message. There is no timer on this side: what is overdue fails when the next request comes, so that a guest
   * that never answers leaves no more behind than one timeout's worth of requests.
   *
   * @param device undefined before there is one.
   * @returns false if it is no request for statistics.
   */
  handle(message: Uint8Array, device: Device | undefined, nowNs: Nanoseconds): boolean {
    const id = decodeStatsRequest(message);
    if (id === undefined) return false;
    device?.expireStats(nowNs);
    const request = device?.requestStats(nowNs) ?? 'not-ready';
    if (request === 'not-ready') this.#send(encodeStatsAnswer({ id, outcome: request }));
    else this.#ids.set(request, id);
    return true;
  }

  statsAnswered(request: number, stats: BalloonStats): void {
    this.#answer(request, stats);
  }

  statsFailed(request: number, reason: StatsFailure): void {
    this.#answer(request, reason);
  }

  #answer(request: number, outcome: BalloonStats | StatsFailure): void {
    const id = this.#ids.get(request);
    if (id === undefined) return;
    this.#ids.delete(request);
    this.#send(encodeStatsAnswer({ id, outcome }));
  }
}
