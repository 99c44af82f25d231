import { HalError } from './errors.js';

/**
 * Whether a turn is being handled now, and its time. Shared by the reactor, which opens and closes turns, and by every
 * derived HAL object, which refuses calls outside of one: a stray promise or microtask cannot slip a call in.
 */
export class TurnScope {
  active = false;
  /** The turn's number: 0 is start-up. */
  number = -1;
  /** Monotonic time of delivery, in nanoseconds. */
  nowNs = 0;
}

export function outsideTurn(contract: string, call: string): HalError {
  return new HalError(
    'OUTSIDE_TURN',
    `${contract}.${call} was called outside a turn. Call the HAL only from a handler (or from start-up), before it ` +
      'returns; not from a promise, a timer or a microtask',
  );
}
