// The tests that need Linux's own balloon driver, in an emulated host of each architecture: the suite, or only the smoke.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain } from '../src/cli/failure.js';
import type { GuestArchitecture } from '../src/guest-image/architecture.js';
import { INTERRUPTED } from './report.js';
import { smoke } from './smoke.js';
import { type CaseOutcome, countLine, outcomeLines, verdictOf } from './suite/report.js';
import { runSuite, type SuiteRun } from './suite/run-suite.js';
import { parseTestLab, TEST_LAB_USAGE, type TestLabOptions } from './test-lab-options.js';
import { runTwoVmsCases } from './two-vms/cases.js';

const say = (text: string) => process.stderr.write(`lab: ${text}\n`);

/** The smoke as a case: all that went wrong is its one check. */
async function smokeOutcomes(
  arch: GuestArchitecture,
  out: string,
  signal: AbortSignal,
): Promise<CaseOutcome[]> {
  const wrong = await smoke(arch, out, say, signal);
  const figure = wrong.length === 0 ? 'all of them' : wrong.join('; ');
  const check = { what: 'steps', figure, limit: 'all go well', holds: wrong.length === 0 };
  return [{ name: 'smoke', seconds: undefined, checks: [check] }];
}

/** The cases with one guest, and those with two. */
async function bothParts(run: SuiteRun): Promise<CaseOutcome[]> {
  return [...(await runSuite(run)), ...(await runTwoVmsCases(run))];
}

async function test(
  arch: GuestArchitecture,
  options: TestLabOptions,
  signal: AbortSignal,
): Promise<CaseOutcome[]> {
  const { keep, only } = options;
  const out = keep === undefined ? mkdtempSync(join(tmpdir(), 'halyard-suite-')) : join(keep, arch);
  mkdirSync(out, { recursive: true });
  try {
    const outcomes = options.smoke
      ? await smokeOutcomes(arch, out, signal)
      : await bothParts({ arch, only, out, say, signal });
    return outcomes.map((outcome) => ({ ...outcome, name: `${arch}: ${outcome.name}` }));
  } finally {
    if (keep === undefined) rmSync(out, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const options = parseTestLab(process.argv.slice(2));
  if (typeof options === 'string') {
    say(`${options}\n${TEST_LAB_USAGE}`);
    return 2;
  }
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  const outcomes: CaseOutcome[] = [];
  for (const arch of options.architectures) {
    if (controller.signal.aborted) return INTERRUPTED;
    try {
      const tested = await test(arch, options, controller.signal);
      for (const line of tested.flatMap(outcomeLines)) process.stdout.write(`${line}\n`);
      outcomes.push(...tested);
    } catch (error) {
      if (controller.signal.aborted) return INTERRUPTED;
      const { line, exitCode } = explain(error);
      say(`${arch}: ${line}`);
      return exitCode;
    }
  }
  process.stdout.write(`${countLine(outcomes)}\n`);
  return outcomes.some((outcome) => verdictOf(outcome) === 'failed') ? 1 : 0;
}

process.exitCode = await main();
