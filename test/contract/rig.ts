import type { ExecutionContext } from 'ava';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { HalError, type HalErrorCode } from '../../src/hal/contract/errors.js';

/** Goes on with each turn: between two steps a turn ends, and the next one begins with an event. */
export type Steps<T> = Generator<undefined, T, undefined>;

export interface HalSource {
  hal<C extends HalContract>(contract: C): HalOf<C>;
}

/** The hardware under test, in whatever profile: a suite knows nothing else of it. */
export interface Rig extends HalSource {
  /** The oldest event of that name that was delivered and not taken yet; ends the turn if there is none. */
  nextEvent<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
  ): Steps<HalEvents<C>[E]>;
  /** How many events of that name were delivered and not taken. */
  pending(contract: HalContract, name: string): number;
  /** A folder of this case's own. In a replay it has the same name, and is gone. */
  readonly folder: string;
  /** Puts a file there and returns its path. In a replay nothing is written. */
  file(name: string, content: Uint8Array): string;
}

/** What a case does: all at once, or as a generator that is resumed in the turn of the event it waits for. */
export type CaseBody = (t: ExecutionContext, rig: Rig) => void | Steps<void>;

/** Declares one case of a suite, for every profile it runs on. */
export type Check = (title: string, body: CaseBody) => void;
export type Suite = (check: Check) => void;

/** Asserts that the call throws a HalError of this code, and returns it. */
export function refused(t: ExecutionContext, code: HalErrorCode, call: () => unknown): HalError {
  const error = t.throws(call, { instanceOf: HalError });
  t.is(error?.code, code, error?.message);
  if (error === undefined) throw new Error('nothing was thrown');
  return error as HalError;
}

/** Numbers that are no handle, offset or size. */
export const NO_WHOLE_NUMBERS: readonly unknown[] = [
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  '1',
  1n,
  null,
  undefined,
  {},
];

export function never<T>(value: unknown): T {
  return value as T;
}
