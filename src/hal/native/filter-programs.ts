import { createHash } from 'node:crypto';
import type { AnyImplementation } from '../bind.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { Seccomp } from '../seccomp.js';
import type { AddonFunction } from './addon.js';

/** The compiled program (struct sock_filter, 8 bytes each) that a name stands for; undefined if there is none. */
export type FilterPrograms = (name: string) => Uint8Array | undefined;

/** The addon's functions, which take a program instead of its name. */
export interface ConfiningFunctions {
  readonly confine: AddonFunction;
  readonly confineAndNotify: AddonFunction;
}

interface Notifying {
  readonly instructions: number;
  readonly listener: number;
  readonly activity: number;
}

/**
 * Programs have names in traces and are known only here: a program is for one architecture, a trace for all. `confine`
 * refuses a name that stands for nothing: INVALID_ARGUMENT.
 */
export function withFilterPrograms(
  addon: Implementation<typeof Seccomp>,
  functions: ConfiningFunctions,
  programs: FilterPrograms,
): AnyImplementation {
  const { validates, dispose } = addon;
  return implement(
    Seccomp,
    (emit) => ({
      ...addon.create(emit),
      confine: ({ program }) => {
        const { bytes, sha256 } = find(programs, program);
        return { instructions: functions.confine(bytes) as number, sha256 };
      },
      confineAndNotify: ({ program }) => {
        const { bytes, sha256 } = find(programs, program);
        const entered = functions.confineAndNotify(bytes) as Notifying;
        return { ...entered, sha256 };
      },
    }),
    {
      ...(validates === undefined ? {} : { validates }),
      ...(dispose === undefined ? {} : { dispose }),
    },
  );
}

function find(programs: FilterPrograms, name: unknown): { bytes: Uint8Array; sha256: string } {
  if (typeof name !== 'string') {
    throw new HalError('INVALID_ARGUMENT', `seccomp: program must be text, got ${String(name)}`);
  }
  const bytes = programs(name);
  if (bytes === undefined) {
    throw new HalError(
      'INVALID_ARGUMENT',
      `seccomp: no program was given under the name "${name}"; give it to this process (filterPrograms)`,
    );
  }
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}
