/** Codes of `HalError`. They are stable: programs and traces may rely on them. */
export type HalErrorCode =
  /** The operating system refused; `errno` and `syscall` say how. */
  | 'SYSCALL_FAILED'
  /** An argument has the wrong type, sign or size. Nothing was done. */
  | 'INVALID_ARGUMENT'
  /** The handle was never given out, or names another kind of thing. */
  | 'BAD_HANDLE'
  /** The handle was closed before. */
  | 'CLOSED_HANDLE'
  /** An access reaches outside its region. Nothing was done. */
  | 'OUT_OF_BOUNDS'
  /** A HAL call was made outside a turn. */
  | 'OUTSIDE_TURN'
  /** An answer (for example `Kvm.complete`) that nothing waits for, or given twice. */
  | 'NOT_WAITING'
  /** This machine, kernel or build cannot do it. */
  | 'UNSUPPORTED'
  /** The scripted fake got a call that nobody expected. */
  | 'UNEXPECTED_CALL'
  /** Expectations of the scripted fake that no call met. */
  | 'LEFTOVER_EXPECTATIONS'
  /** A handler returned a promise. */
  | 'ASYNC_HANDLER'
  /** No implementation of a contract was bound. */
  | 'MISSING_BINDING';

export interface HalErrorDetail {
  /** Linux errno, positive; absent if no system call failed. */
  readonly errno?: number | undefined;
  /** Name of the system call that failed. */
  readonly syscall?: string | undefined;
  readonly cause?: unknown;
}

const HAL_ERROR = Symbol.for('halyard.HalError');

/** What a HAL call throws. A failed call is an outcome: it is recorded, and replayed as the same error. */
export class HalError extends Error {
  override readonly name: string = 'HalError';
  readonly code: HalErrorCode;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly [HAL_ERROR] = true;

  constructor(code: HalErrorCode, message: string, detail: HalErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.errno = detail.errno;
    this.syscall = detail.syscall;
  }

  /** True for a HalError of this or of another copy of the package. */
  static is(value: unknown): value is HalError {
    return typeof value === 'object' && value !== null && HAL_ERROR in value;
  }
}

/** The machine, the build or the kernel lacks something. `remedy` says how to get it. */
export class UnsupportedError extends HalError {
  override readonly name = 'UnsupportedError';
  readonly remedy: string;

  constructor(what: string, remedy: string, detail: HalErrorDetail = {}) {
    super('UNSUPPORTED', `${what}. ${remedy}`, detail);
    this.remedy = remedy;
  }
}
