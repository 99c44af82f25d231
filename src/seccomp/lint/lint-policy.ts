import type { PolicyDiagnostic } from '../language/diagnostic.js';
import type { ParseInput } from '../language/parse-input.js';
import { analysePolicy } from '../language/parse-policy.js';
import { lintDeadRules } from './dead-rules.js';
import { lintDialects } from './dialect-traps.js';
import type { LintFinding } from './lint-finding.js';
import { lintTime64 } from './parity.js';
import { lintText } from './text-traps.js';
import { lintWordTraps } from './word-traps.js';

/** All that can be said of one policy: faults, what the parser warns of, and what the rules find; by file and line. */
export function lintPolicy(input: ParseInput): readonly LintFinding[] {
  const { policy, faults, warnings } = analysePolicy(input);
  const findings = [
    ...[...faults, ...warnings].map(fromDiagnostic),
    ...lintText(input),
    ...lintDialects(input, { policy, faults, warnings }),
    ...lintDeadRules(policy),
    ...lintWordTraps(policy),
    ...lintTime64(policy),
  ];
  return findings.toSorted((left, right) => compareSpans(left, right));
}

function fromDiagnostic({ code, message, place, remedy, severity }: PolicyDiagnostic): LintFinding {
  const base = { code, severity, span: place.span, message };
  return remedy === undefined ? base : { ...base, remedy };
}

function compareSpans({ span: left }: LintFinding, { span: right }: LintFinding): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.line - right.line || left.column - right.column;
}
