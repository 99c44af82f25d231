import { parseArgs } from 'node:util';
import { ARCHITECTURE_NAMES, type ArchitectureName } from '../../src/seccomp/architecture.js';

export const HELP = `npm run bench:seccomp-peers -- [--minijail DIR] [--policies DIR]... [--arch ARCH]... [--counted] [--json]

Compiles policies with other compilers too, runs all programs in this package's interpreter on the same calls, and compares
the instructions executed.

  --minijail DIR   a checkout of minijail: its Python compiler (run by python3), and its C parser, which is built here (by
                   CC or cc, with the headers of Linux)
  --policies DIR   a checkout of crosvm. The first one that has policies for an architecture is taken, so that an older one
                   can be given for 32-bit arm. The policies shipped here are always measured.
  --arch ARCH      x86_64, aarch64 or arm; all three if not given
  --counted        every compiler is told the frequencies that syscalls are weighed by; without it, it knows those that the
                   policy names
  --json           one JSON object

Syscalls are weighed by common_device.frequency of the first checkout that has it; without one each counts the same.
libseccomp is called by python3 if it finds libseccomp.so.2. The C parser gets each policy as one file in its own dialect;
what that cannot say is left out, which is in its favour, and is named.
`;

export interface PeersOptions {
  readonly minijail: string | undefined;
  readonly policies: readonly string[];
  readonly architectures: readonly ArchitectureName[];
  readonly counted: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** @returns what is wrong with the arguments as text. */
export function parsePeersOptions(argv: readonly string[]): PeersOptions | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        minijail: { type: 'string' },
        policies: { type: 'string', multiple: true, default: [] },
        arch: { type: 'string', multiple: true, default: [...ARCHITECTURE_NAMES] },
        counted: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const { arch, minijail, ...rest } = values;
    const unknown = arch.find((name) => !ARCHITECTURE_NAMES.some((known) => known === name));
    if (unknown !== undefined) return `--arch expects x86_64, aarch64 or arm, got ${unknown}`;
    const architectures = ARCHITECTURE_NAMES.filter((name) => arch.includes(name));
    return { ...rest, minijail, architectures };
  } catch (error) {
    return (error as Error).message;
  }
}
