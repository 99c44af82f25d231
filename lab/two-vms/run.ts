import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { runInLab } from '../lab.js';
import { reportLines } from '../report.js';
import { equal } from '../suite/figures.js';
import type { CaseOutcome } from '../suite/report.js';
import { judgeTwoVms } from './judge.js';
import { filesIn, reportOf } from './report.js';
import { HOST_MEMORY_MIB, hostScript, type TwoVms, VM_NAMES, vmConfig } from './scenario.js';

/** The longest deflation of the policy, boot, writing, and what a slow host adds. */
const LIMIT_SECONDS = 2400;

export interface TwoVmsRun extends TwoVms {
  /** Where traces, logs and consoles come. */
  readonly out: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What the case is called in the suite. */
export const twoVmsName = (policy: TwoVms['policy']) =>
  policy === 'step' ? 'two-vms' : 'two-vms-without-policy';

/** Runs the two VMs in a host of their own and judges here what came back. @throws UnsupportedError */
export async function runTwoVms({ out, say, signal, ...vms }: TwoVmsRun): Promise<CaseOutcome> {
  const config = vmConfig(vms);
  // What an earlier run left must not be judged.
  for (const name of VM_NAMES) rmSync(join(out, `${name}.mcap`), { force: true });
  rmSync(join(out, 'killed'), { force: true });
  let output = '';
  const result = await runInLab(
    {
      arch: vms.arch,
      out,
      timeoutSeconds: LIMIT_SECONDS,
      hostMemoryBytes: HOST_MEMORY_MIB * 2 ** 20,
      install: false,
      refresh: false,
      command: [hostScript(config)],
    },
    {
      stdout: (bytes) => {
        output += bytes.toString();
        process.stderr.write(bytes);
      },
      stderr: (bytes) => process.stderr.write(bytes),
    },
    say,
    signal,
  );
  const request = { timeoutSeconds: LIMIT_SECONDS, out };
  for (const line of reportLines(request, { ...result, files: [] })) say(line);
  const report = reportOf(output, filesIn(out));
  return {
    name: twoVmsName(vms.policy),
    seconds: result.hostSeconds,
    checks: [equal('the host', result.how, 'exited'), ...judgeTwoVms(config, report, out)],
  };
}
