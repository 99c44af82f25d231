import type { AnyImplementation } from '../bind.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { Disk } from '../disk.js';

/** The path of the file that a disk's name stands for; undefined if there is no such disk. */
export type DiskFiles = (name: string) => string | undefined;

/**
 * Disks have names in traces, and paths only here: a path of this machine would keep a trace from being replayed on
 * another. `Disk.open` refuses a name that stands for nothing: INVALID_ARGUMENT.
 *
 * @param addon takes the name for the path.
 */
export function withDiskFiles(
  addon: Implementation<typeof Disk>,
  files: DiskFiles,
): AnyImplementation {
  const { validates, dispose } = addon;
  return implement(
    Disk,
    (emit) => {
      const inner = addon.create(emit);
      return {
        ...inner,
        open: ({ name, readOnly }) => inner.open({ name: pathOf(files, name), readOnly }),
      };
    },
    {
      ...(validates === undefined ? {} : { validates }),
      ...(dispose === undefined ? {} : { dispose }),
    },
  );
}

function pathOf(files: DiskFiles, name: string): string {
  const path = files(name);
  if (path !== undefined) return path;
  throw new HalError('INVALID_ARGUMENT', `disk.open: no file was given for the disk "${name}"`);
}
