import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../src/cli/failure.js';
import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import { runInLab } from '../lab.js';
import { reportLines } from '../report.js';
import { SUITE } from './cases.js';
import { allChecks } from './figures.js';
import { replayHere } from './replay-here.js';
import type { CaseOutcome } from './report.js';
import type { Check, RunReport, SuiteCase } from './suite-case.js';

/** From the start of QEMU to its end, on two cores. */
export const SUITE_LIMIT_SECONDS: Readonly<Record<GuestArchitecture, number>> = {
  x86_64: 300,
  arm64: 480,
};

/** A case that hangs in spite of its steps' own limits does not take the others with it. */
const CASE_LIMIT_SECONDS = 150;
const HOST_MEMORY_BYTES = 2 * 2 ** 30;

/** One script for the host's shell; a case that fails does not end it. It leaves "SECONDS NAME" of each in /out/times. */
export function suiteScript(
  arch: GuestArchitecture,
  cases: readonly Pick<SuiteCase, 'name'>[],
): string {
  const lines = cases.map(
    ({ name }) =>
      `echo "lab: ${name}"; from=$(date +%s)\n` +
      `timeout -s KILL ${CASE_LIMIT_SECONDS} node dist/lab/suite/in-host.js ${arch} ${name}\n` +
      `echo "$(($(date +%s) - from)) ${name}" >>/out/times`,
  );
  return `${lines.join('\n')}\nexit 0`;
}

function secondsOf(times: string, name: string): number | undefined {
  const line = times.split('\n').find((candidate) => candidate.endsWith(` ${name}`));
  return line === undefined ? undefined : Number(line.split(' ')[0]);
}

const failed = (what: string, figure: string, limit: string): readonly Check[] => [
  { what, figure, limit, holds: false },
];

/** Judges what a case left in its folder. */
function judge(arch: GuestArchitecture, suiteCase: SuiteCase, folder: string): readonly Check[] {
  const file = join(folder, 'report.json');
  if (!existsSync(file)) return failed('the report', 'none', 'is there');
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as RunReport;
    const replay = replayHere(join(folder, 'run.mcap'));
    return allChecks(suiteCase, { arch, report, replay });
  } catch (error) {
    return failed('what came back', explain(error).line, 'can be read');
  }
}

/** What a run of the suite needs. */
export interface SuiteRun {
  readonly arch: GuestArchitecture;
  /** Only these cases; all if empty. */
  readonly only: readonly string[];
  readonly out: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Runs the cases in one host and judges them here. @throws UnsupportedError */
export async function runSuite({ arch, only, out, say, signal }: SuiteRun): Promise<CaseOutcome[]> {
  const chosen = SUITE.filter(({ name }) => only.length === 0 || only.includes(name));
  const cases = chosen.filter(({ skip }) => skip?.[arch] === undefined);
  const limit = SUITE_LIMIT_SECONDS[arch];
  const timeoutSeconds = 2 * limit;
  const result = await runInLab(
    {
      arch,
      out,
      timeoutSeconds,
      hostMemoryBytes: HOST_MEMORY_BYTES,
      install: false,
      refresh: false,
      command: [suiteScript(arch, cases)],
    },
    {
      stdout: (bytes) => process.stderr.write(bytes),
      stderr: (bytes) => process.stderr.write(bytes),
    },
    say,
    signal,
  );
  for (const line of reportLines({ timeoutSeconds, out }, { ...result, files: [] })) say(line);
  const timesFile = join(out, 'times');
  const times = existsSync(timesFile) ? readFileSync(timesFile, 'utf8') : '';
  const outcomes = chosen.map((suiteCase): CaseOutcome => {
    const { name } = suiteCase;
    const skip = suiteCase.skip?.[arch];
    if (skip !== undefined) return { name, skip, seconds: undefined, checks: [] };
    return {
      name,
      seconds: secondsOf(times, name),
      checks: judge(arch, suiteCase, join(out, name)),
    };
  });
  const time: Check = {
    what: 'seconds, from the start of the host to its end',
    figure: result.hostSeconds.toFixed(1),
    limit: `at most ${limit}`,
    holds: result.how === 'exited' && result.hostSeconds <= limit,
  };
  return [...outcomes, { name: 'the whole suite', seconds: undefined, checks: [time] }];
}
