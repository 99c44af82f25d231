import type { EventSpec } from '../contract/define.js';
import { failureOf } from './failure.js';
import type { TurnEncoder } from './turn-encoder.js';

/** Lets the reactor drive an encoder. */
export function recordingHooks(encoder: TurnEncoder) {
  return {
    begin: (
      number: number,
      timeNs: number,
      event: EventSpec | undefined,
      payload: Readonly<Record<string, unknown>> | undefined,
    ): void => encoder.begin(number, timeNs, event, payload),
    end: (failure: unknown): void =>
      encoder.end(failure === undefined ? undefined : failureOf(failure)),
  };
}
