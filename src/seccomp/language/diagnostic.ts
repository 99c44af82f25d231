import type { SourceSpan } from '../policy.js';

/** Why a policy is rejected; stable. */
export type PolicyFaultCode =
  | 'constant-overflow'
  | 'constant-underflow'
  | 'denylist-action'
  | 'denylist-mismatch'
  | 'double-complement'
  | 'duplicate-metadata'
  | 'duplicate-syscall'
  | 'duplicate-unconditional'
  | 'empty-atom'
  | 'empty-constant'
  | 'empty-rule'
  | 'expression-too-long'
  | 'extra-token'
  | 'frequency-unreadable'
  | 'include-too-deep'
  | 'include-unreadable'
  | 'incomplete-atom'
  | 'invalid-action'
  | 'invalid-argument'
  | 'invalid-constant'
  | 'invalid-default-action'
  | 'invalid-errno'
  | 'invalid-metadata'
  | 'invalid-number'
  | 'invalid-operator'
  | 'invalid-path'
  | 'invalid-return'
  | 'invalid-statement'
  | 'invalid-syscall-name'
  | 'invalid-token'
  | 'missing-colon'
  | 'missing-filter'
  | 'nesting-too-deep'
  | 'permissive-default-action'
  | 'program-too-long'
  | 'same-syscall-number'
  | 'too-many-faults'
  | 'too-many-includes'
  | 'too-many-labels'
  | 'unclosed-brace'
  | 'unclosed-bracket'
  | 'unclosed-parenthesis'
  | 'unknown-group'
  | 'unknown-syscall';

/** What is accepted, and probably not what was meant; stable. */
export type PolicyWarningCode =
  | 'argument-unloadable'
  | 'argument-wraps'
  | 'comment-swallows-line'
  | 'empty-expression'
  | 'errno-truncated'
  | 'final-allow-drops-filters'
  | 'frequency-ignored'
  | 'ignored-text'
  | 'nul-byte'
  | 'return-spelling'
  | 'rule-dropped-at-end'
  | 'shadowed-definition'
  | 'unknown-syscall-skipped';

/** Where something stands, with the line it stands in. */
export interface Place {
  readonly span: SourceSpan;
  /** The physical line, without its end. */
  readonly sourceLine: string;
}

/** What to say of a place. */
export interface Remark {
  readonly place: Place;
  /** What is wrong. */
  readonly message: string;
  /** What would be right. */
  readonly remedy?: string | undefined;
}

interface Described extends Remark {
  /** The offending text; empty where something is missing. */
  readonly token: string;
}

export interface PolicyFault extends Described {
  readonly severity: 'error';
  readonly code: PolicyFaultCode;
}

export interface PolicyWarning extends Described {
  readonly severity: 'warning';
  readonly code: PolicyWarningCode;
}

export type PolicyDiagnostic = PolicyFault | PolicyWarning;

/** A policy that minijail rejects, and so do we: with all of its faults, in the order of the source. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly code = 'POLICY_REJECTED';
  readonly faults: readonly PolicyFault[];
  readonly warnings: readonly PolicyWarning[];

  constructor(faults: readonly PolicyFault[], warnings: readonly PolicyWarning[]) {
    super(faults.map(formatDiagnostic).join('\n'));
    this.faults = faults;
    this.warnings = warnings;
  }
}

/** `file:line:column: error: message [code]`, the source line, a caret under the token, and the remedy. */
export function formatDiagnostic(diagnostic: PolicyDiagnostic): string {
  const { place, severity, message, code, remedy } = diagnostic;
  const { file, line, column, length } = place.span;
  // Tabs are kept, so that the caret stands below the token whatever a tab's width is.
  const indent = place.sourceLine.slice(0, column - 1).replace(/[^\t]/gu, ' ');
  const room = Math.max(1, Math.min(length, place.sourceLine.length - column + 1));
  const lines = [
    `${file}:${line}:${column}: ${severity}: ${message} [${code}]`,
    `    ${place.sourceLine}`,
    `    ${indent}${'^'.repeat(room)}`,
  ];
  return remedy === undefined ? lines.join('\n') : [...lines, `    ${remedy}`].join('\n');
}

/** The start of a file, for what concerns it as a whole. */
export function startOfFile(file: string, text: string): Place {
  return {
    span: { file, line: 1, column: 1, length: 1 },
    sourceLine: /^[^\r\n]*/u.exec(text)?.[0] ?? '',
  };
}
