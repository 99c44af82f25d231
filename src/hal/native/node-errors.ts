import { constants } from 'node:os';
import { HalError } from '../contract/errors.js';

interface NodeError {
  readonly code: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly message: string;
}

function isNodeError(error: unknown): error is NodeError {
  return (
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
  );
}

function errnoOf(error: NodeError): number | undefined {
  const named: Readonly<Record<string, number>> = constants.errno;
  if (named[error.code] !== undefined) return named[error.code];
  return typeof error.errno === 'number' ? Math.abs(error.errno) : undefined;
}

/**
 * What Node (or memfs) threw, as a HalError: SYSCALL_FAILED with its errno, or INVALID_ARGUMENT where Node refused the
 * argument before any system call. What is no error of theirs is returned as it is.
 */
export function failedSyscall(error: unknown, syscall: string, subject: string): unknown {
  if (!isNodeError(error)) return error;
  if (error.code.startsWith('ERR_')) {
    return new HalError('INVALID_ARGUMENT', `${subject}: ${error.message}`, { cause: error });
  }
  return new HalError('SYSCALL_FAILED', `${syscall} ${subject}: ${error.code}`, {
    errno: errnoOf(error),
    syscall: error.syscall ?? syscall,
    cause: error,
  });
}
