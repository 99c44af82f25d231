// Runs cases of the suite in the lab's host, and leaves what is to be judged: /out/CASE/{run.mcap,report.json,console}.
// One process for all: loading the program takes an emulated processor longer than booting Linux. A case that was begun
// before is not begun again, so that another process can go on behind one that died.
// Usage: node dist/lab/suite/in-host.js ARCHITECTURE CASE…
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../src/cli/failure.js';
import { Output } from '../../src/cli/output.js';
import { runAndShow } from '../../src/cli/run-command.js';
import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { HalContract } from '../../src/hal/contract/define.js';
import type { Implementation } from '../../src/hal/contract/implementation.js';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import { Faults } from '../../src/hal/scripted/faults.js';
import { parseBalloonConfig } from '../../src/programs/balloon-config.js';
import { isBootFault, MOST_BOOT_FAULTS } from './boot-faults.js';
import { SUITE } from './cases.js';
import type { RunReport, SuiteCase } from './suite-case.js';

const KERNEL = '/guest/vmlinuz';

function withFaults(implementation: AnyImplementation, faults: Faults): AnyImplementation {
  const wrapped = faults.wrap(implementation as unknown as Implementation<HalContract>);
  return wrapped as unknown as AnyImplementation;
}

/** A sparse file in the host's memory, so that the guest's disk costs what the guest writes. */
function emptyDisk(name: string, diskMiB: number): string {
  const path = join('/tmp', `${name}.disk`);
  writeFileSync(path, '');
  truncateSync(path, diskMiB * BYTES_PER_MIB);
  return path;
}

const sha256 = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

async function report(
  { name, config, faults: plan, diskMiB }: SuiteCase,
  arch: GuestArchitecture,
  folder: string,
): Promise<Omit<RunReport, 'bootFaults'>> {
  const started = performance.now();
  const faults = new Faults();
  plan?.(faults);
  const disk = diskMiB === undefined ? undefined : emptyDisk(name, diskMiB);
  const counts = () => ({
    ...(disk === undefined ? {} : { diskSha256: sha256(disk) }),
    seconds: (performance.now() - started) / 1000,
    unusedFaults: faults.unused().length,
  });
  try {
    const result = await runAndShow(
      {
        config: parseBalloonConfig(config(arch)),
        record: join(folder, 'run.mcap'),
        onTraceError: 'stop',
        console: join(folder, 'console'),
        images: { kernel: KERNEL, initrd: '/guest/initrd', disks: [disk, KERNEL] },
        arrange:
          plan === undefined
            ? undefined
            : (hardware) => hardware.map((each) => withFaults(each, faults)),
      },
      new Output(true),
    );
    const { exitCode, notes, end } = result;
    return { exitCode, notes, end, ...counts() };
  } catch (error) {
    const { line, exitCode, code } = explain(error);
    return { exitCode, error: { code, message: line }, ...counts() };
  }
}

/** Begins again, a few times, if the guest was lost before it was up. */
async function reportAtLast(
  suiteCase: SuiteCase,
  architecture: GuestArchitecture,
  folder: string,
): Promise<RunReport> {
  for (let bootFaults = 0; ; bootFaults++) {
    const found = await report(suiteCase, architecture, folder);
    if (!isBootFault(architecture, found)) return { ...found, bootFaults };
    process.stdout.write(`lab: ${suiteCase.name}: a triple fault before the guest was up\n`);
    if (bootFaults === MOST_BOOT_FAULTS) return { ...found, bootFaults: bootFaults + 1 };
  }
}

const [arch, ...names] = process.argv.slice(2);
for (const name of names) {
  const suiteCase = SUITE.find((candidate) => candidate.name === name);
  if (suiteCase === undefined) throw new TypeError(`the suite has no case "${name}"`);
  const folder = join('/out', name);
  if (existsSync(folder)) continue;
  mkdirSync(folder);
  process.stdout.write(`lab: ${name}\n`);
  const found = await reportAtLast(suiteCase, arch as GuestArchitecture, folder);
  writeFileSync(join(folder, 'report.json'), JSON.stringify(found));
}
