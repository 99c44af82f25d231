import type { SourceSpan } from '../policy.js';

export type CompileErrorCode = 'PROGRAM_TOO_LONG' | 'ARGUMENT_NOT_LOADABLE';

/** A policy that was parsed, and that no kernel can be given. */
export class CompileError extends Error {
  override readonly name = 'CompileError';

  constructor(
    readonly code: CompileErrorCode,
    message: string,
    /** Where the policy says it, if one place does. */
    readonly span?: SourceSpan,
  ) {
    super(span === undefined ? message : `${span.file}:${span.line}:${span.column}: ${message}`);
  }
}
