import { Console } from '../console.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { failedSyscall } from './node-errors.js';

/** Where the guest's output goes: process.stdout, a file stream, … */
export interface ConsoleOutput {
  write(data: Uint8Array): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A terminal to type on. */
export interface ConsoleInput {
  readonly isTTY?: boolean;
  on(event: 'data', listener: (data: Uint8Array) => void): unknown;
  off(event: 'data', listener: (data: Uint8Array) => void): unknown;
  pause(): unknown;
}

export interface ConsoleOptions {
  readonly output: ConsoleOutput;
  /** Listened to only if it is a terminal; it then keeps the process alive until `dispose`. */
  readonly input?: ConsoleInput;
}

/** `Console` on Node's streams. Once the output has failed (a closed pipe), `write` throws SYSCALL_FAILED. */
export function consoleOn(options: ConsoleOptions): Implementation<typeof Console> {
  const { output } = options;
  const input = options.input?.isTTY === true ? options.input : undefined;
  let failure: Error | undefined;
  let onData: ((data: Uint8Array) => void) | undefined;
  // A stream without this listener would end the process.
  const onError = (error: Error) => {
    failure = error;
  };
  return implement(
    Console,
    (emit) => {
      output.on('error', onError);
      onData = (data) => emit.input({ data: new Uint8Array(data) });
      input?.on('data', onData);
      return {
        write: ({ data }) => {
          if (failure !== undefined) throw outputFailed(failure);
          // The stream keeps what it is given until it is written; the caller may use its buffer again.
          output.write(new Uint8Array(data));
        },
      };
    },
    {
      dispose: () => {
        // The error listener stays: a pipe may still break while the stream empties itself.
        if (input !== undefined && onData !== undefined) {
          input.off('data', onData);
          input.pause();
        }
      },
    },
  );
}

function outputFailed(failure: Error): unknown {
  const error = failedSyscall(failure, 'write', "the console's output");
  if (HalError.is(error)) return error;
  return new HalError('SYSCALL_FAILED', `the console's output failed: ${failure.message}`, {
    syscall: 'write',
    cause: failure,
  });
}
