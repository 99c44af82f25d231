import { HalError } from '../hal/contract/errors.js';
import { DivergenceError } from '../hal/replay/divergence.js';
import { GuestImageError } from '../machine/linux-guest.js';
import { ConfigError } from '../program.js';
import { DeviceProcessError } from '../programs/device-process.js';
import { TraceFormatError, TraceWriteError } from '../trace/errors.js';

/** Exit codes of the command (DESIGN.md, "Errors"). */
export const EXIT = { ok: 0, failed: 1, badInput: 2, noHardware: 3 } as const;

/** Bad usage: a flag or a file name that makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
}

/**
 * Errors of src/seccomp/ are known by their codes: to name their classes would load the policy language with every
 * command. All of them are faults of what was given.
 */
const POLICY_CODES =
  /^(?:TEST_FILE|POLICY_REJECTED|UNKNOWN_ARCHITECTURE|ARCHITECTURE_MISMATCH|PROGRAM_TOO_LONG|ARGUMENT_NOT_LOADABLE|LEARN_INPUT|BPF_[A-Z]+)$/;

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

export interface Explained {
  readonly line: string;
  readonly exitCode: number;
  readonly code: string;
  /** Of a rejected policy: its faults with their places, for `--json`. */
  readonly faults?: unknown;
}

/** One clear line and an exit code for whatever went wrong. */
export function explain(error: unknown): Explained {
  if (error instanceof DivergenceError) {
    return { line: error.message, exitCode: EXIT.failed, code: error.code };
  }
  if (error instanceof UsageError || error instanceof ConfigError) {
    return { line: error.message, exitCode: EXIT.badInput, code: error.code };
  }
  if (error instanceof TraceFormatError) {
    return { line: error.message, exitCode: EXIT.badInput, code: error.code };
  }
  if (error instanceof TraceWriteError) {
    // A file that cannot even be begun has a name that makes no sense.
    const exitCode = error.syscall === 'open' ? EXIT.badInput : EXIT.failed;
    return { line: error.message, exitCode, code: error.code };
  }
  if (error instanceof GuestImageError) {
    return { line: error.message, exitCode: EXIT.badInput, code: error.code };
  }
  if (error instanceof DeviceProcessError) {
    return { line: error.message, exitCode: EXIT.failed, code: error.code };
  }
  if (HalError.is(error)) {
    const exitCode = error.code === 'UNSUPPORTED' ? EXIT.noHardware : EXIT.failed;
    return { line: error.message, exitCode, code: error.code };
  }
  const code = codeOf(error);
  if (code !== undefined && POLICY_CODES.test(code)) {
    const { message, faults } = error as Error & { readonly faults?: unknown };
    const explained = { line: message, exitCode: EXIT.badInput, code };
    return faults === undefined ? explained : { ...explained, faults };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { line: `internal error: ${message}`, exitCode: EXIT.failed, code: 'INTERNAL' };
}
