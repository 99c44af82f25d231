import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpioArchive } from '../src/guest-image/cpio.js';
import type { Progress } from '../src/guest-image/debian-packages.js';
import { packageRoot } from '../src/package-info.js';
import { readDisk, writeEmptyDisk } from './ext4.js';
import { hostImage } from './host-image.js';
import { LAB_MACHINES, type LabMachine } from './machines.js';
import { commandScript, type LabOptions } from './options.js';
import { peerDisk } from './peer-image.js';
import { type ProjectFile, projectDisk } from './project-image.js';
import { type HostEnd, type HostOutputs, runHost } from './run-host.js';
import { requireTools } from './tools.js';

/** What comes back in all may be so large; the disk is sparse. */
const OUT_DISK_BYTES = 4 * 2 ** 30;

export interface LabResult extends HostEnd {
  /** From the call to the end, the building of images included, in seconds. */
  readonly wholeSeconds: number;
  /** What came back, by name, in the folder for it. */
  readonly files: readonly string[];
}

export interface LabRequest
  extends Pick<
    LabOptions,
    'arch' | 'hostMemoryBytes' | 'out' | 'timeoutSeconds' | 'install' | 'refresh' | 'command'
  > {
  /** Whether the host shall have Debian's QEMU in `PEER_FOLDER`, to compare with (x86_64 only). */
  readonly withPeer?: boolean;
  /** Whether the machine shall be one with a GICv2 (arm64 only). */
  readonly withGicV2?: boolean;
  /** What the host shall have of the project, beside what runs. */
  readonly more?: readonly ProjectFile[];
}

function machineFor({ arch, withGicV2 = false }: LabRequest): LabMachine {
  const machine = LAB_MACHINES[arch];
  if (!withGicV2) return machine;
  if (machine.gicV2Args === undefined) throw new TypeError(`${arch} has no GICv2`);
  return { ...machine, machineArgs: machine.gicV2Args };
}

/**
 * Runs one command in an emulated host.
 *
 * @param signal ends it, at the next step or at once while the host runs.
 * @throws UnsupportedError if something for it is missing on this machine.
 */
export async function runInLab(
  request: LabRequest,
  outputs: Pick<HostOutputs, 'stdout' | 'stderr'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<LabResult> {
  const started = performance.now();
  const machine = machineFor(request);
  requireTools(machine, request);
  const { arch: architecture, refresh, more } = request;
  const image = await hostImage({ architecture, progress, refresh });
  signal.throwIfAborted();
  const project = await projectDisk(packageRoot(), { architecture, progress, more });
  signal.throwIfAborted();
  const peer = request.withPeer ? await peerDisk({ architecture, progress, refresh }) : undefined;
  signal.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), 'halyard-lab-'));
  try {
    const outDisk = join(folder, 'out.ext4');
    await writeEmptyDisk(outDisk, OUT_DISK_BYTES);
    const initrd = join(folder, 'initrd');
    const content = commandScript(request.command);
    const command = cpioArchive([{ kind: 'file', path: 'command', content }]);
    writeFileSync(initrd, Buffer.concat([readFileSync(image.initrd), command]));
    progress(`booting the ${architecture} host`);
    const end = await runHost(
      {
        machine,
        image,
        projectDisk: project,
        peerDisk: peer,
        outDisk,
        initrd,
        processors: machine.processors,
        memoryBytes: request.hostMemoryBytes,
        folder,
      },
      { ...outputs, up: (seconds) => progress(`host up after ${seconds.toFixed(1)} s`) },
      { timeoutSeconds: request.timeoutSeconds, signal },
    );
    const files = await readDisk(outDisk, request.out);
    return { ...end, files, wholeSeconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
