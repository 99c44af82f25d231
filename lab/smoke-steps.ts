import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../src/guest-image/architecture.js';
import { packageRoot } from '../src/package-info.js';
import { balloon, linuxRun, POWER_OFF } from './suite/steps.js';

/** One thing that the smoke test does in the host, and what is checked of it here afterwards. */
export interface SmokeStep {
  readonly name: string;
  readonly architectures: readonly GuestArchitecture[];
  /** For the host's shell; it must end with 0. */
  readonly command: string;
  /** Checks what came back. Returns what is wrong, or undefined. */
  readonly check?: (outFolder: string) => string | undefined;
}

const BOTH: readonly GuestArchitecture[] = ['x86_64', 'arm64'];

const HALF_MIB = 128;

/** Linux boots, gives up half of its memory, gets it back, and powers off. */
const LINUX_RUN: Readonly<Record<GuestArchitecture, object>> = {
  x86_64: linuxRun('x86_64', 2 * HALF_MIB, [...balloon(HALF_MIB), ...balloon(0), ...POWER_OFF]),
  arm64: linuxRun('arm64', 2 * HALF_MIB, [...balloon(HALF_MIB), ...balloon(0), ...POWER_OFF]),
};

export const SMOKE_STEPS: readonly SmokeStep[] = [
  { name: 'kvm', architectures: BOTH, command: 'test -c /dev/kvm && halyard doctor' },
  {
    name: 'files',
    architectures: BOTH,
    command: 'mkdir "/out/a folder" && uname -m >"/out/a folder/machine"',
  },
  {
    name: 'replay',
    architectures: BOTH,
    command: 'halyard replay recordings/boot/run.mcap recordings/burst-to-maximum/run.mcap',
  },
  {
    name: 'micro guest',
    architectures: ['x86_64'],
    // Its guest waits five seconds for its device: less than a process takes to start here.
    command:
      'halyard run --device in-process --memory 256 --touch 64 --seconds 5 --record /out/run.mcap',
    check: (folder) => replayHere(join(folder, 'run.mcap')),
  },
  {
    name: 'contracts',
    architectures: ['arm64'],
    command: 'node dist/test/arch/contracts-child.js /tmp record',
  },
  ...GUEST_ARCHITECTURES.map(
    (arch): SmokeStep => ({
      name: `linux on ${arch}`,
      architectures: [arch],
      command:
        `halyard record /out/linux.mcap --config '${JSON.stringify(LINUX_RUN[arch])}' ` +
        '--kernel /guest/vmlinuz --initrd /guest/initrd',
      check: (folder) => replayHere(join(folder, 'linux.mcap')),
    }),
  ),
];

/** A trace from the host must replay on this machine. */
function replayHere(trace: string): string | undefined {
  const command = join(packageRoot(), 'dist', 'bin', 'halyard.cjs');
  const args = [command, 'replay', trace];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 && stdout.includes('identical') ? undefined : `${stdout}${stderr}`;
}

/** One script that does all steps and leaves "CODE NAME" of each in /out/steps. */
export function smokeScript(steps: readonly SmokeStep[]): string {
  const lines = steps.map(
    ({ name, command }) => `echo '== ${name}'\n( ${command}\n)\necho "$? ${name}" >>/out/steps`,
  );
  return lines.join('\n');
}

/** What is wrong with the steps, by what the script left. */
export function failedSteps(steps: readonly SmokeStep[], results: string): readonly string[] {
  const codes = new Map(
    results
      .split('\n')
      .map((line) => /^(\d+) (.+)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, code, name]) => [name, Number(code)] as const),
  );
  return steps
    .filter(({ name }) => codes.get(name) !== 0)
    .map(({ name }) => `${name}: ${codes.has(name) ? `exit code ${codes.get(name)}` : 'not done'}`);
}
