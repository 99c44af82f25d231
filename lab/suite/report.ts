import type { Check } from './suite-case.js';

export interface CaseOutcome {
  readonly name: string;
  /** From the first to the last of the run, in seconds; undefined if it never ran. */
  readonly seconds: number | undefined;
  readonly skip?: string | undefined;
  readonly checks: readonly Check[];
}

export type Verdict = 'passed' | 'failed' | 'skipped';

/** A case without checks has not run. */
export function verdictOf({ skip, checks }: CaseOutcome): Verdict {
  if (skip !== undefined) return 'skipped';
  return checks.length > 0 && checks.every(({ holds }) => holds) ? 'passed' : 'failed';
}

/** One line for the case and one for each figure. */
export function outcomeLines(outcome: CaseOutcome): readonly string[] {
  const { name, seconds, skip, checks } = outcome;
  const time = seconds === undefined ? '' : ` (${seconds.toFixed(0)} s)`;
  const reason = skip === undefined ? '' : `: ${skip}`;
  return [
    `${verdictOf(outcome)}  ${name}${time}${reason}`,
    ...checks.map(
      ({ what, figure, limit, holds }) =>
        `  ${holds ? 'ok ' : 'NOT'} ${what}: ${figure} (${limit})`,
    ),
  ];
}

export function countLine(outcomes: readonly CaseOutcome[]): string {
  const count = (verdict: Verdict) =>
    outcomes.filter((outcome) => verdictOf(outcome) === verdict).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}
