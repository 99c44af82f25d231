/**
 * Why a trace file is refused:
 * - `TRACE_EMPTY`: the file has no bytes.
 * - `TRACE_FOREIGN`: not an MCAP file.
 * - `TRACE_TRUNCATED`: the end of the file is missing (a killed recorder, a cut copy).
 * - `TRACE_CORRUPT`: a checksum or a structure is wrong.
 * - `TRACE_LIMIT`: a size or an amount of work is beyond the limits set for untrusted input.
 * - `TRACE_UNSUPPORTED`: valid MCAP that this reader cannot read (lz4, say).
 * - `TRACE_UNREADABLE`: the operating system does not let the file be read.
 */
export type TraceFormatCode =
  | 'TRACE_EMPTY'
  | 'TRACE_FOREIGN'
  | 'TRACE_TRUNCATED'
  | 'TRACE_CORRUPT'
  | 'TRACE_LIMIT'
  | 'TRACE_UNSUPPORTED'
  | 'TRACE_UNREADABLE';

/** A trace that cannot be read as it is: what is wrong, in which file, at which byte. */
export class TraceFormatError extends Error {
  override readonly name = 'TraceFormatError';
  readonly code: TraceFormatCode;
  /** Path of the file, or a placeholder for bytes that are only in memory. */
  readonly file: string;
  /** Offset in bytes from the start of the file. */
  readonly position: number;
  readonly reason: string;

  constructor(
    code: TraceFormatCode,
    file: string,
    position: number,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: byte ${position}: ${reason}`, options);
    this.code = code;
    this.file = file;
    this.position = position;
    this.reason = reason;
  }
}

/** The trace could not be written: a full disk, a closed pipe, a device error. */
export class TraceWriteError extends Error {
  override readonly name = 'TraceWriteError';
  readonly code = 'TRACE_WRITE_FAILED';
  /** Symbolic errno such as `ENOSPC`; `UNKNOWN` where the system gave none. */
  readonly errno: string;
  readonly syscall: string;
  readonly file: string;
  /** Bytes of the trace that had been written before the failure. */
  readonly position: number;

  constructor(file: string, position: number, cause: unknown) {
    const errno = textProperty(cause, 'code') ?? 'UNKNOWN';
    const syscall = textProperty(cause, 'syscall') ?? 'write';
    super(`${file}: ${syscall} failed with ${errno}${consequence(errno, syscall, position)}`, {
      cause,
    });
    this.errno = errno;
    this.syscall = syscall;
    this.file = file;
    this.position = position;
  }
}

function consequence(errno: string, syscall: string, position: number): string {
  if (errno === 'EEXIST') return '; name a file that does not exist yet';
  if (syscall === 'open') return '; no trace was begun';
  const rest = position === 0 ? 'there is no trace' : 'the trace ends here, and can be repaired';
  return ` after ${position} bytes; ${rest}`;
}

function textProperty(value: unknown, key: 'code' | 'syscall'): string | undefined {
  if (typeof value !== 'object' || value === null || !(key in value)) return undefined;
  const found = (value as Record<typeof key, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
}
