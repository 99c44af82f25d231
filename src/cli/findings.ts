import type { Finding } from '../program.js';
import type { Output } from './output.js';

export function allHold(findings: readonly Finding[]): boolean {
  return findings.every(({ holds }) => holds);
}

export function showFindings(findings: readonly Finding[], output: Output): void {
  for (const { what, holds, detail } of findings) {
    output.line(`  ${holds ? 'yes' : 'NO '}  ${what} (${detail})`);
  }
}
