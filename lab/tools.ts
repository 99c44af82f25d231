import { spawnSync } from 'node:child_process';
import { findTool } from '../src/guest-image/tool.js';
import { UnsupportedError } from '../src/hal/contract/errors.js';
import type { LabMachine } from './machines.js';

/** Programs that the lab starts, and the Debian packages that have them. */
export function neededTools(machine: LabMachine): readonly (readonly [string, string])[] {
  return [
    [machine.qemu, machine.qemuPackage],
    ['mke2fs', 'e2fsprogs'],
    ['debugfs', 'e2fsprogs'],
    ['setpriv', 'util-linux'],
    ['tar', 'tar'],
  ];
}

/**
 * Checks that all programs are there.
 *
 * @param install whether apt-get may install what is missing.
 * @throws UnsupportedError with the line that installs what is missing.
 */
export function requireTools(
  machine: LabMachine,
  { install, find = findTool }: { install: boolean; find?: typeof findTool },
): void {
  const missing = () => neededTools(machine).filter(([tool]) => find(tool) === undefined);
  const atFirst = missing();
  if (atFirst.length === 0) return;
  const packages = [...new Set(atFirst.map(([, name]) => name))];
  const command = `apt-get install --no-install-recommends -y ${packages.join(' ')}`;
  const names = atFirst.map(([tool]) => tool).join(', ');
  if (!install) {
    throw new UnsupportedError(
      `The lab needs ${names}, which ${atFirst.length === 1 ? 'is' : 'are'} not installed`,
      `Run "${command}" as root, or call the lab with --install.`,
    );
  }
  // Standard output is the command's.
  const { status } = spawnSync('sh', ['-c', `(apt-get update -qq && ${command}) >&2`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0 || missing().length > 0) {
    throw new UnsupportedError(`apt-get could not install ${names}`, `Run "${command}" as root.`);
  }
}
