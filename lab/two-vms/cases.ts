import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { CaseOutcome } from '../suite/report.js';
import type { SuiteRun } from '../suite/run-suite.js';
import { runTwoVms, twoVmsName } from './run.js';
import type { TwoVms } from './scenario.js';

/** The original's timers and limits, ten times as fast. */
const TIME_SCALE = 0.1;
const POLICIES: readonly TwoVms['policy'][] = ['step', 'off'];

export const TWO_VMS_CASES: readonly string[] = POLICIES.map(twoVmsName);

/** Why not on this architecture. */
const SKIP: Readonly<Partial<Record<GuestArchitecture, string>>> = {
  x86_64: "QEMU 7.2's nested SVM does not survive two guests at once; arm64 shows it",
};

/** The scaled run under the policy, and the same without it, each in a host of its own. @throws UnsupportedError */
export async function runTwoVmsCases(run: SuiteRun): Promise<readonly CaseOutcome[]> {
  const { arch, only, say, signal } = run;
  const outcomes: CaseOutcome[] = [];
  for (const policy of POLICIES) {
    const name = twoVmsName(policy);
    if (only.length > 0 && !only.includes(name)) continue;
    const skip = SKIP[arch];
    if (skip !== undefined) {
      outcomes.push({ name, skip, seconds: undefined, checks: [] });
      continue;
    }
    const out = join(run.out, name);
    mkdirSync(out, { recursive: true });
    outcomes.push(await runTwoVms({ arch, timeScale: TIME_SCALE, policy, out, say, signal }));
  }
  return outcomes;
}
