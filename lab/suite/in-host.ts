// Runs one case of the suite in the lab's host, and leaves what is to be judged: /out/CASE/{run.mcap,report.json,console}.
// Usage: node dist/lab/suite/in-host.js ARCHITECTURE CASE
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../src/cli/failure.js';
import { Output } from '../../src/cli/output.js';
import { runAndShow } from '../../src/cli/run-command.js';
import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { HalContract } from '../../src/hal/contract/define.js';
import type { Implementation } from '../../src/hal/contract/implementation.js';
import { Faults } from '../../src/hal/scripted/faults.js';
import { parseBalloonConfig } from '../../src/programs/balloon-config.js';
import { SUITE } from './cases.js';

const [arch = '', name = ''] = process.argv.slice(2);
const suiteCase = SUITE.find((candidate) => candidate.name === name);
if (suiteCase === undefined) throw new TypeError(`the suite has no case "${name}"`);
const folder = join('/out', name);
mkdirSync(folder, { recursive: true });

const faults = new Faults();
suiteCase.faults?.(faults);
const arrange = (hardware: readonly AnyImplementation[]): AnyImplementation[] =>
  hardware.map(
    (implementation) =>
      faults.wrap(
        implementation as unknown as Implementation<HalContract>,
      ) as unknown as AnyImplementation,
  );

async function report(): Promise<object> {
  try {
    return await runAndShow(
      {
        config: parseBalloonConfig(suiteCase?.config(arch as GuestArchitecture)),
        record: join(folder, 'run.mcap'),
        onTraceError: 'stop',
        console: join(folder, 'console'),
        images: { kernel: '/guest/vmlinuz', initrd: '/guest/initrd' },
        ...(suiteCase?.faults === undefined ? {} : { arrange }),
      },
      new Output(true),
    );
  } catch (error) {
    const { line, exitCode, code } = explain(error);
    return { exitCode, error: { code, message: line } };
  }
}

const unusedFaults = () => faults.unused().length;
const result = { ...(await report()), unusedFaults: unusedFaults() };
writeFileSync(join(folder, 'report.json'), JSON.stringify(result));
