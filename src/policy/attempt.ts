import { HalError, type HalErrorCode } from '../hal/contract/errors.js';

export type Attempt<T> =
  | { readonly done: true; readonly value: T }
  | { readonly done: false; readonly reason: string };

/** What a machine can answer on a bad day. Every other error is a fault of a program or a replay that went apart. */
const OUTCOMES: readonly HalErrorCode[] = ['SYSCALL_FAILED', 'UNSUPPORTED', 'CLOSED_HANDLE'];

/** Makes a HAL call whose failure the policy lives with. Errors that are no outcome of the machine are thrown on. */
export function attempt<T>(call: () => T): Attempt<T> {
  try {
    return { done: true, value: call() };
  } catch (error) {
    if (HalError.is(error) && OUTCOMES.includes(error.code)) {
      return { done: false, reason: error.message };
    }
    throw error;
  }
}
