// The original's manual test in the lab: two VMs at once, each writing a file larger than the host's memory.
// Usage: npm run record:two-vms [-- --arch arm64|x86_64] [--time-scale 1] [--policy step|off] [--keep FOLDER] [--no-record]
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explain } from '../../src/cli/failure.js';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../../src/guest-image/architecture.js';
import { packageRoot } from '../../src/package-info.js';
import { runInLab } from '../lab.js';
import { faultsWithoutPolicy, faultsWithPolicy, filesIn, reportOf } from './report.js';
import { HOST_MEMORY_MIB, hostScript, MARGIN_MIB, VM_NAMES, vmConfig } from './scenario.js';

const MAX_RECORDING_BYTES = 4 * 2 ** 20;
/** The longest deflation of the policy, boot, writing, and what a slow host adds. */
const LIMIT_SECONDS = 2400;

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
      // QEMU 7.2's nested SVM did not survive two guests at once: once its host and once a guest took a triple fault.
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
  const config = vmConfig({ arch, timeScale, policy });
  const out = values.keep ?? mkdtempSync(join(tmpdir(), 'halyard-two-vms-'));
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  let output = '';
  try {
    const result = await runInLab(
      {
        arch,
        out,
        timeoutSeconds: LIMIT_SECONDS,
        hostMemoryBytes: HOST_MEMORY_MIB * 2 ** 20,
        install: false,
        refresh: false,
        command: [hostScript(config)],
      },
      {
        stdout: (bytes: Buffer) => {
          output += bytes.toString();
          return process.stdout.write(bytes);
        },
        stderr: (bytes: Buffer) => process.stderr.write(bytes),
      },
      say,
      controller.signal,
    );
    const report = reportOf(output, filesIn(out));
    for (const { name, findings, lowestMiB } of report.vms) {
      for (const line of [...findings, `lowest available: ${lowestMiB} MiB`])
        say(`${name}: ${line}`);
    }
    const faults =
      policy === 'step'
        ? [...faultsWithPolicy(report)]
        : [...faultsWithoutPolicy(report, MARGIN_MIB)];
    if (result.how !== 'exited') faults.push(`the host: ${result.how}`);
    for (const fault of faults) say(`failed: ${fault}`);
    say(
      `${result.hostSeconds.toFixed(0)} s in the host, time scale ${timeScale}, policy ${policy}`,
    );
    const isRecording = !values['no-record'] && policy === 'step' && faults.length === 0;
    if (isRecording) keepRecordings(out, config);
    return faults.length === 0 ? 0 : 1;
  } catch (error) {
    const { line, exitCode } = explain(error);
    say(line);
    return exitCode;
  } finally {
    if (values.keep === undefined) rmSync(out, { recursive: true, force: true });
  }
}

process.exitCode = await main();
