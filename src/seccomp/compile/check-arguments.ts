import type { Policy } from '../policy.js';
import { argumentWord, DATA_WORDS } from '../seccomp-data.js';
import { CompileError } from './compile-error.js';

/**
 * Both dialects accept arguments that are not in the data (reference N5).
 * @throws {CompileError} `ARGUMENT_NOT_LOADABLE` at the first of them
 */
export function checkArguments(policy: Policy): void {
  for (const { filters } of policy.syscalls.values()) {
    for (const { argument, span } of filters.flatMap(({ clauses }) => clauses.flat())) {
      const word = argumentWord(argument);
      if (word < 0 || word >= DATA_WORDS) {
        throw new CompileError(
          'ARGUMENT_NOT_LOADABLE',
          `arg${argument} is accepted by minijail but the kernel refuses it: a syscall has arg0 to arg5`,
          span,
        );
      }
    }
  }
}
