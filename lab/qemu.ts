import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { findTool } from '../src/guest-image/tool.js';
import { UnsupportedError } from '../src/hal/contract/errors.js';
import type { HostImage } from './host-image.js';
import { PORTS } from './host-init.js';
import type { LabMachine } from './machines.js';

export interface QemuHost {
  readonly machine: LabMachine;
  readonly image: HostImage;
  readonly projectDisk: string;
  /** The disk with what is compared with, if it is wanted. */
  readonly peerDisk?: string | undefined;
  /** The disk that takes what comes back. */
  readonly outDisk: string;
  /** The image's initrd with the command behind it. */
  readonly initrd: string;
  readonly processors: number;
  readonly memoryBytes: number;
  /** Sockets and the console's text lie here. */
  readonly folder: string;
}

type Port = keyof typeof PORTS;

export const socketPath = (folder: string, port: Port) => join(folder, `${port}.socket`);
export const consolePath = (folder: string) => join(folder, 'console.txt');

function qemuArgs(host: QemuHost): readonly string[] {
  const { machine, image, folder } = host;
  const disk = (id: string, file: string, more = '') => [
    ...['-drive', `id=${id},if=none,format=raw,file=${file}${more}`],
    ...['-device', `virtio-blk-pci,drive=${id}`],
  ];
  const port = (name: Port) => [
    ...['-chardev', `socket,id=${name},path=${socketPath(folder, name)}`],
    ...['-device', `virtserialport,chardev=${name},nr=${PORTS[name]},name=${name}`],
  ];
  const always = `console=${machine.console} quiet panic=-1 mitigations=off`;
  const commandLine = [always, ...machine.kernelParameters].join(' ');
  return [
    ...machine.machineArgs,
    ...['-accel', 'tcg,thread=multi', '-smp', `${host.processors}`],
    ...['-m', `${host.memoryBytes / 2 ** 20}M`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', host.initrd, '-append', commandLine],
    ...['-serial', `file:${consolePath(folder)}`],
    ...disk('base', image.baseDisk, ',readonly=on'),
    ...disk('project', host.projectDisk, ',readonly=on'),
    ...disk('out', host.outDisk, ',cache=unsafe'),
    ...(host.peerDisk === undefined ? [] : disk('peer', host.peerDisk, ',readonly=on')),
    // Port 0 is for consoles.
    ...['-device', 'virtio-serial-pci'],
    ...port('control'),
    ...port('stdout'),
    ...port('stderr'),
  ];
}

/**
 * Starts QEMU, in a process group of its own: a terminal's Ctrl-C is for the lab to handle. It cannot outlive this
 * process: the kernel kills it when this process ends, however that happens.
 *
 * @throws UnsupportedError if it is not installed.
 */
export function startQemu(host: QemuHost): ChildProcess {
  const { qemu, qemuPackage } = host.machine;
  const file = findTool(qemu);
  if (file === undefined) {
    throw new UnsupportedError(
      `${qemu} is not installed`,
      `Install it: apt-get install ${qemuPackage}`,
    );
  }
  const args = ['--pdeathsig', 'KILL', file, ...qemuArgs(host)];
  return spawn(findTool('setpriv') ?? 'setpriv', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
}
