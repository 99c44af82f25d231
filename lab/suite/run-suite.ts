import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../src/cli/failure.js';
import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import { runInLab } from '../lab.js';
import { reportLines } from '../report.js';
import { SUITE } from './cases.js';
import { allChecks, equal } from './figures.js';
import { replayHere } from './replay-here.js';
import type { CaseOutcome } from './report.js';
import type { Check, RunReport, SuiteCase } from './suite-case.js';

/** For one case on a machine that has much other work; each step of it has a limit of its own. */
const SECONDS_PER_CASE = 180;

const HOST_MEMORY_BYTES = 2 * 2 ** 30;

/**
 * For the host's shell: the cases in one process, and the rest in another if it dies. A case whose process died has left
 * no report; the host's kernel may know why.
 */
export function suiteScript(
  arch: GuestArchitecture,
  cases: readonly Pick<SuiteCase, 'name'>[],
): string {
  const command = `node dist/lab/suite/in-host.js ${arch} ${cases.map(({ name }) => name).join(' ')}`;
  const tries = cases.map((_, index) => index + 1).join(' ');
  return `for try in ${tries}; do ${command} && exit 0; echo "lab: it ended with $?"; dmesg | tail -n 20; done; exit 1`;
}

/** What a case left, judged. */
interface Judged {
  readonly seconds: number | undefined;
  readonly checks: readonly Check[];
}

const failed = (what: string, figure: string, limit: string): Judged => ({
  seconds: undefined,
  checks: [{ what, figure, limit, holds: false }],
});

/** Judges what a case left in its folder. */
function judge(arch: GuestArchitecture, suiteCase: SuiteCase, folder: string): Judged {
  const file = join(folder, 'report.json');
  if (!existsSync(file)) return failed('the report', 'none', 'is there');
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as RunReport;
    const replay = replayHere(join(folder, 'run.mcap'));
    return { seconds: report.seconds, checks: allChecks(suiteCase, { arch, report, replay }) };
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

/** Runs the cases, those for one machine in one host, and judges them here. @throws UnsupportedError */
export async function runSuite(run: SuiteRun): Promise<CaseOutcome[]> {
  const { arch, only } = run;
  const chosen = SUITE.filter(({ name }) => only.length === 0 || only.includes(name));
  const outcomes: CaseOutcome[] = chosen.flatMap(({ name, skip }) => {
    const why = skip?.[arch];
    return why === undefined ? [] : [{ name, skip: why, seconds: undefined, checks: [] }];
  });
  for (const withGicV2 of [false, true]) {
    const cases = chosen.filter(
      ({ skip, needsGicV2 = false }) => skip?.[arch] === undefined && needsGicV2 === withGicV2,
    );
    if (cases.length > 0) outcomes.push(...(await runOnHost(run, cases, withGicV2)));
  }
  return outcomes;
}

async function runOnHost(
  { arch, out, say, signal }: SuiteRun,
  cases: readonly SuiteCase[],
  withGicV2: boolean,
): Promise<CaseOutcome[]> {
  // A case that leaves nothing must not be judged by what an earlier run left.
  for (const { name } of cases) rmSync(join(out, name), { recursive: true, force: true });
  const timeoutSeconds = (cases.length + 1) * SECONDS_PER_CASE;
  const result = await runInLab(
    {
      arch,
      out,
      timeoutSeconds,
      hostMemoryBytes: HOST_MEMORY_BYTES,
      install: false,
      refresh: false,
      withGicV2,
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
  const outcomes = cases.map((suiteCase): CaseOutcome => {
    const { name } = suiteCase;
    return { name, ...judge(arch, suiteCase, join(out, name)) };
  });
  const host = withGicV2 ? 'the host with a GICv2' : 'the host';
  const checks = [equal('it', result.how, 'exited')];
  return [...outcomes, { name: host, seconds: result.hostSeconds, checks }];
}
