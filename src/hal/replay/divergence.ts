import type { FieldDifference } from './format.js';

export type DivergenceKind =
  /** Another call than the recorded one. */
  | 'different-call'
  /** The recorded call with other arguments. */
  | 'different-argument'
  /** A call where the recorded turn has no more. */
  | 'extra-call'
  /** The turn ended, and recorded calls were not made. */
  | 'missing-call'
  /** The handler failed otherwise than recorded, or not at all. */
  | 'different-failure'
  /** `effects`: what was written or released between two fences differs. */
  | 'different-effect'
  /** `effects`: a read of bytes that the recording does not have. */
  | 'unrecorded-bytes'
  /** The program stopped, and the trace goes on. */
  | 'leftover-turns'
  /** The trace ended, and the program has not stopped. */
  | 'program-goes-on'
  /** A message that one lane sent is not what the other received. */
  | 'different-message';

export interface NearestMatch {
  readonly turn: number;
  readonly call: number;
  readonly text: string;
  readonly hint: string;
}

/** Everything that is known about the first difference between a recording and a replay. Plain data, for `--json`. */
export interface DivergenceReport {
  readonly kind: DivergenceKind;
  readonly lane: string;
  readonly turn: number;
  /** Number of the call within the turn, from 0; the number of recorded calls if none is left. */
  readonly call: number;
  readonly timeNs: number;
  /** The event that the turn handles. */
  readonly event: string;
  readonly summary: string;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly differences: readonly FieldDifference[];
  readonly matchedBefore: readonly string[];
  readonly expectedNext: readonly string[];
  readonly nearestLater: NearestMatch | undefined;
  readonly leftover: number;
  readonly stack: readonly string[];
  /** How to record again; filled in by whoever knows the file. */
  readonly recordAgain: string | undefined;
}

/**
 * The replayed program did something else than the recorded one. Not a HalError: a device that lives through failed
 * calls must not live through this.
 */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
  readonly code = 'DIVERGENCE';
  readonly report: DivergenceReport;

  constructor(report: DivergenceReport) {
    super(`lane ${report.lane}, turn ${report.turn}, call ${report.call}: ${report.summary}`);
    this.report = report;
  }
}

/** The report as a person reads it. */
export function formatDivergence(report: DivergenceReport): string {
  const lines = [
    `divergence in lane ${report.lane}, turn ${report.turn}, call ${report.call} ` +
      `(${(report.timeNs / 1e9).toFixed(6)} s): ${report.summary}`,
    `  while handling ${report.event}`,
  ];
  for (const text of report.matchedBefore) lines.push(`    matched   ${text}`);
  if (report.expected !== undefined) lines.push(`  - expected  ${report.expected}`);
  if (report.actual !== undefined) lines.push(`  + actual    ${report.actual}`);
  for (const { field, expected, actual, note } of report.differences) {
    lines.push(`      ${field}: expected ${expected}, got ${actual}`);
    if (note !== undefined) lines.push(`        ${note}`);
  }
  for (const text of report.expectedNext) lines.push(`    next      ${text}`);
  if (report.nearestLater !== undefined) {
    const { turn, call, hint } = report.nearestLater;
    lines.push(`  ${hint} (turn ${turn}, call ${call}): ${report.nearestLater.text}`);
  }
  if (report.leftover > 0)
    lines.push(`  ${report.leftover} recorded calls of this turn are left over`);
  if (report.stack.length > 0)
    lines.push('  called', ...report.stack.map((frame) => `    ${frame}`));
  if (report.recordAgain !== undefined) {
    lines.push(`  if the change is meant, record again: ${report.recordAgain}`);
  }
  return lines.join('\n');
}

const OWN_FRAME = /[/\\]src[/\\]hal[/\\](?:contract|replay|record)[/\\]|node:internal/;

/** The stack below the HAL, without this framework's own frames. */
export function callerStack(): string[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const stack = new Error('stack').stack ?? '';
  Error.stackTraceLimit = limit;
  return stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => !OWN_FRAME.test(line))
    .slice(0, 8);
}
