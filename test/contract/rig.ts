import type { ExecutionContext, TestFn } from 'ava';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { HalError, type HalErrorCode } from '../../src/hal/contract/errors.js';

/** The hardware under test, in whatever profile: a suite knows nothing else of it. */
export interface Rig {
  hal<C extends HalContract>(contract: C): HalOf<C>;
  /** The oldest event of that name that was not taken yet; waits for one if there is none. */
  nextEvent<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
  ): Promise<HalEvents<C>[E]>;
  /** How many events of that name wait to be taken. */
  pending(contract: HalContract, name: string): number;
  /** Ends threads and closes what is open. */
  dispose(): void;
}

export type MakeRig = () => Rig;
export type Suite = (test: TestFn, makeRig: MakeRig) => void;
export type RigBody = (t: ExecutionContext, rig: Rig) => void | Promise<void>;

/** Declares tests that each get a rig of their own, disposed in the end. */
export function rigTests(test: TestFn, makeRig: MakeRig): (title: string, body: RigBody) => void {
  return (title, body) => {
    test(title, async (t) => {
      const rig = makeRig();
      try {
        await body(t, rig);
      } finally {
        rig.dispose();
      }
    });
  };
}

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
