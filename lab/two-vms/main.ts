// The original's manual test in the lab: two VMs at once, each writing a file larger than the host's memory.
// Usage: npm run record:two-vms [-- --arch arm64|x86_64] [--time-scale 1] [--policy step|off] [--keep FOLDER] [--no-record]
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explain } from '../../src/cli/failure.js';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../../src/guest-image/architecture.js';
import { packageRoot } from '../../src/package-info.js';
import { outcomeLines, verdictOf } from '../suite/report.js';
import { runTwoVms } from './run.js';
import { VM_NAMES, vmConfig } from './scenario.js';

const MAX_RECORDING_BYTES = 4 * 2 ** 20;

const say = (text: string) => process.stderr.write(`two-vms: ${text}\n`);

/** The recordings are those of the run just made. */
function keepRecordings(out: string, config: object): void {
  for (const name of VM_NAMES) {
    const trace = join(out, `${name}.mcap`);
    const { size } = statSync(trace);
    if (size > MAX_RECORDING_BYTES) {
      throw new Error(`the ${name} trace has ${size} bytes; ${MAX_RECORDING_BYTES} is the most`);
    }
    const folder = join(packageRoot(), 'recordings', `two-vms-${name}`);
    mkdirSync(folder, { recursive: true });
    copyFileSync(trace, join(folder, 'run.mcap'));
    writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`);
    say(`${folder}: ${size} bytes`);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      // The recordings are of an arm64 host; docs/lab.md says what an x86_64 one does with two guests at once.
      arch: { type: 'string', default: 'arm64' },
      'time-scale': { type: 'string', default: '1' },
      policy: { type: 'string', default: 'step' },
      keep: { type: 'string' },
      'no-record': { type: 'boolean', default: false },
    },
  });
  const arch = values.arch as GuestArchitecture;
  const policy = values.policy as 'step' | 'off';
  const timeScale = Number(values['time-scale']);
  if (!GUEST_ARCHITECTURES.includes(arch)) {
    say(`no architecture ${arch}; there are ${GUEST_ARCHITECTURES.join(' and ')}`);
    return 2;
  }
  const out = values.keep ?? mkdtempSync(join(tmpdir(), 'halyard-two-vms-'));
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  const { signal } = controller;
  try {
    const outcome = await runTwoVms({ arch, timeScale, policy, out, say, signal });
    for (const line of outcomeLines(outcome)) process.stdout.write(`${line}\n`);
    const passed = verdictOf(outcome) === 'passed';
    say(`time scale ${timeScale}, policy ${policy}`);
    if (!values['no-record'] && policy === 'step' && passed) {
      keepRecordings(out, vmConfig({ arch, timeScale, policy }));
    }
    return passed ? 0 : 1;
  } catch (error) {
    const { line, exitCode } = explain(error);
    say(line);
    return exitCode;
  } finally {
    if (values.keep === undefined) rmSync(out, { recursive: true, force: true });
  }
}

process.exitCode = await main();
