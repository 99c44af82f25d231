import { decodeProgram, type Program } from '../../src/seccomp/bpf/instruction.js';
import type { Policy } from '../../src/seccomp/policy.js';
import type { ToolRun } from './run-tool.js';

/** A policy as every compiler gets it. */
export interface Job {
  readonly policy: Policy;
  /** The same in the Python dialect, with all that it includes beside it. */
  readonly file: string;
}

/** A program, or why there is none. */
export type Outcome =
  | {
      readonly program: Program;
      /** Syscalls whose rules the compiler cannot take in full: it was not given what it cannot say, in its favour. */
      readonly shortened?: readonly string[];
    }
  | { readonly refused: string };

export interface Peer {
  readonly name: string;
  compile(job: Job): Outcome;
}

/** What a tool wrote to its standard output, as a raw program; the last complaint says why, as tools of Python have it. */
export function outcomeOf({ ok, output, complaints }: ToolRun): Outcome {
  return ok ? { program: decodeProgram(output) } : { refused: complaints.at(-1) ?? '' };
}
