import { BALLOON_PAGE_BYTES, BYTES_PER_MIB, type Bytes } from '../../src/hal/contract/units.js';
import { describeVmEnd } from '../../src/machine/vm-end.js';
import { bootFaultChecks } from './boot-faults.js';
import { BOOT_TROUBLE_NOTE, TROUBLE_NOTE } from './steps.js';
import type { Check, Evidence, RunReport, SuiteCase } from './suite-case.js';

const BYTES_PER_KB = 1024;

/** A note of the run is not there, or is of another kind: an earlier step has failed. */
export class NoteError extends Error {
  override readonly name = 'NoteError';
  readonly code = 'NOTE_MISSING';
}

function note(report: RunReport, name: string): string | Readonly<Record<string, number | string>> {
  const found = report.notes?.find((candidate) => candidate.name === name);
  if (found === undefined) throw new NoteError(`the run noted no "${name}"`);
  return found.value;
}

/** @throws NoteError */
export function textOf(report: RunReport, name: string): string {
  const value = note(report, name);
  if (typeof value !== 'string') throw new NoteError(`"${name}" is no text`);
  return value;
}

/** @throws NoteError */
export function numberOf(report: RunReport, name: string): number {
  const text = textOf(report, name);
  if (!/^-?\d+$/.test(text)) throw new NoteError(`"${name}" is no number: ${text}`);
  return Number(text);
}

/** A note in kB, in bytes. @throws NoteError */
export function kilobytesOf(report: RunReport, name: string): Bytes {
  return numberOf(report, name) * BYTES_PER_KB;
}

/** A figure of a note that has several. @throws NoteError */
export function fieldOf(report: RunReport, name: string, field: string): number {
  const value = note(report, name);
  const figure = typeof value === 'string' ? undefined : value[field];
  if (typeof figure !== 'number') {
    throw new NoteError(`"${name}" has no ${field}: ${JSON.stringify(value)}`);
  }
  return figure;
}

/** What the host held for the guest. @throws NoteError */
export function residentOf(report: RunReport, name: string): Bytes {
  return fieldOf(report, name, 'residentBytes');
}

export function mib(bytes: Bytes): string {
  return `${(bytes / BYTES_PER_MIB).toFixed(1)} MiB`;
}

export function atLeast(what: string, bytes: Bytes, limit: Bytes): Check {
  return { what, figure: mib(bytes), limit: `at least ${mib(limit)}`, holds: bytes >= limit };
}

export function atMost(what: string, bytes: Bytes, limit: Bytes): Check {
  return { what, figure: mib(bytes), limit: `at most ${mib(limit)}`, holds: bytes <= limit };
}

export function equal(what: string, found: number | string, wanted: number | string): Check {
  return { what, figure: String(found), limit: `is ${wanted}`, holds: found === wanted };
}

/** Two figures for the same, which may be apart by a share of the second. */
export function within(what: string, found: number, reference: number, share: number): Check {
  const apart = reference === 0 ? (found === 0 ? 0 : 1) : Math.abs(found / reference - 1);
  return {
    what,
    figure: `${found} and ${reference}, ${(apart * 100).toFixed(2)} % apart`,
    limit: `at most ${share * 100} %`,
    holds: apart <= share,
  };
}

/** The policy believes that the device was told what the guest's balloon holds. */
export function agreement({ replay }: Evidence): Check {
  const { believedBytes, actualPages } = replay;
  return equal(
    "policy's and guest's balloon",
    believedBytes === undefined ? 'unknown' : mib(believedBytes),
    mib(actualPages * BALLOON_PAGE_BYTES),
  );
}

/** What must be so in every case. */
export function commonChecks(suiteCase: SuiteCase, { report, replay }: Evidence): Check[] {
  const why = report.error?.message ?? (report.end && describeVmEnd(report.end));
  const wanted = suiteCase.exitCode ?? 0;
  const exit = equal('exit code', report.exitCode, wanted);
  const checks: Check[] = [
    exit.holds || why === undefined ? exit : { ...exit, figure: `${exit.figure} (${why})` },
    {
      what: 'replay here',
      figure: replay.divergence ?? `identical, ${replay.turns} turns in ${replay.lanes.join(', ')}`,
      limit: 'identical',
      holds: replay.divergence === undefined && replay.turns > 0,
    },
  ];
  checks.push(...bootFaultChecks(report));
  if (suiteCase.faults !== undefined) {
    checks.push(equal('planned faults that never came', report.unusedFaults, 0));
  }
  return checks;
}

/** No stall, warning or bug in the guest's log. */
export function quietLog({ report }: Evidence): readonly Check[] {
  const lines = numberOf(report, TROUBLE_NOTE);
  const check = equal('lines of trouble in the guest log', lines, 0);
  const later =
    lines === 0 ? check : { ...check, figure: `${lines}: ${textOf(report, 'what trouble')}` };
  return [equal('trouble while it booted', textOf(report, BOOT_TROUBLE_NOTE), ''), later];
}

/** All that must be so; a note that is missing is a check that does not hold. */
export function allChecks(suiteCase: SuiteCase, evidence: Evidence): readonly Check[] {
  const checks = commonChecks(suiteCase, evidence);
  const parts = [suiteCase.checks, ...(suiteCase.hasNoLog === true ? [] : [quietLog])];
  for (const part of parts) {
    try {
      checks.push(...part(evidence));
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      checks.push({ what: 'the notes', figure: error.message, limit: 'all there', holds: false });
    }
  }
  return checks;
}
