import type { ParseInput } from '../language/parse-input.js';
import type { LintFinding } from './lint-finding.js';

/** What no parser sees any more: comments that end in a backslash. C swallows the next line, Python does not. */
export function lintText({ dialect, file, text }: ParseInput): readonly LintFinding[] {
  // In C the parser itself says which line is lost.
  if (dialect === 'minijail-c') return [];
  const findings: LintFinding[] = [];
  text.split(/\r\n|\r|\n/u).forEach((line, index) => {
    const hash = line.indexOf('#');
    if (hash < 0 || !line.endsWith('\\')) return;
    findings.push({
      code: 'comment-backslash',
      severity: 'warning',
      span: { file, line: index + 1, column: hash + 1, length: line.length - hash },
      message: 'a comment that ends in a backslash: minijail-c takes the next line as a part of it',
      remedy: 'remove the backslash',
    });
  });
  return findings;
}
