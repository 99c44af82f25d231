import { Console } from '../console.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { failedSyscall } from './node-errors.js';

/** Where the guest's output goes: process.stdout, a file stream, … */
export interface ConsoleOutput {
  write(data: Uint8Array): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Where the guest's input comes from: process.stdin, a file stream, … Whether a terminal hands over single keys (raw
 * mode) is up to whoever owns it.
 */
export interface ConsoleInput {
  on(event: 'data', listener: (data: Uint8Array | string) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'data', listener: (data: Uint8Array | string) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Where it is there (a terminal, a pipe): waiting for input then does not keep the process alive. */
  unref?(): unknown;
}

export interface ConsoleOptions {
  readonly output: ConsoleOutput;
  /** Read only while the program listens; a stream that fails has come to its end. */
  readonly input?: ConsoleInput;
}

/** `Console` on Node's streams. Once the output has failed (a closed pipe), `write` throws SYSCALL_FAILED. */
export function consoleOn(options: ConsoleOptions): Implementation<typeof Console> {
  const { output, input } = options;
  let failure: Error | undefined;
  let reader: InputReader | undefined;
  // A stream without this listener would end the process.
  const onError = (error: Error) => {
    failure = error;
  };
  return implement(
    Console,
    (emit) => {
      output.on('error', onError);
      if (input !== undefined) reader = new InputReader(input, (data) => emit.input({ data }));
      return {
        write: ({ data }) => {
          if (failure !== undefined) throw outputFailed(failure);
          // The stream keeps what it is given until it is written; the caller may use its buffer again.
          output.write(new Uint8Array(data));
        },
        listen: ({ on }) => {
          if (on) reader?.start();
          else reader?.stop();
        },
      };
    },
    {
      // The error listeners stay: a pipe may still break while the stream empties itself.
      dispose: () => reader?.stop(),
    },
  );
}

/** Takes what a stream has, while it is told to. Leaves a stream alone that it never was started on. */
class InputReader {
  readonly #input: ConsoleInput;
  readonly #onData: (data: Uint8Array | string) => void;
  #isReading = false;
  #wasStarted = false;

  constructor(input: ConsoleInput, take: (data: Uint8Array) => void) {
    this.#input = input;
    // A stream with an encoding set gives text. The copy outlives the stream's pooled buffers.
    this.#onData = (data) =>
      take(typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data));
  }

  start(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const input = this.#input;
    if (!this.#wasStarted) {
      this.#wasStarted = true;
      // Without a listener an error of the stream would end the process; to the guest it is silence.
      input.on('error', () => {});
    }
    input.on('data', this.#onData);
    // A stream that was paused stays so for a new listener.
    input.resume();
    input.unref?.();
  }

  stop(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#input.off('data', this.#onData);
    this.#input.pause();
  }
}

function outputFailed(failure: Error): unknown {
  const error = failedSyscall(failure, 'write', "the console's output");
  if (HalError.is(error)) return error;
  return new HalError('SYSCALL_FAILED', `the console's output failed: ${failure.message}`, {
    syscall: 'write',
    cause: failure,
  });
}
