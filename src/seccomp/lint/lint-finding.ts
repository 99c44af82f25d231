import type { PolicyFaultCode, PolicyWarningCode } from '../language/diagnostic.js';
import type { SourceSpan } from '../policy.js';

/** What the rules of the lint find; stable. Faults and warnings of the parser keep their codes. */
export type LintRuleCode =
  | 'clause-always-true'
  | 'clause-never-true'
  | 'comment-backslash'
  | 'comparison-always-true'
  | 'comparison-never-true'
  | 'comparison-redundant'
  | 'clause-redundant'
  | 'conditional-return'
  | 'dialects-differ'
  | 'filter-shadowed'
  | 'mask-kills-high-word'
  | 'parity-missing'
  | 'rejected-by-other-dialect'
  | 'sign-extended-constant'
  | 'time64-missing';

export interface LintFinding {
  readonly code: LintRuleCode | PolicyFaultCode | PolicyWarningCode;
  /** `error`: minijail rejects the policy. `warning`: it hardly means what it says. `note`: it may bite elsewhere. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly span: SourceSpan;
  readonly message: string;
  readonly remedy?: string;
}

/** `file:line:column: severity: message [code]`, and the remedy in a line of its own. */
export function formatFinding({ code, severity, span, message, remedy }: LintFinding): string {
  const first = `${span.file}:${span.line}:${span.column}: ${severity}: ${message} [${code}]`;
  return remedy === undefined ? first : `${first}\n    ${remedy}`;
}
