import { spawnSync } from 'node:child_process';
import { encodeProgram, type Program } from '../../../src/seccomp/bpf/instruction.js';
import { type CHelper, cHelper } from '../../c-helper.js';

/** In the order of verdicts.c. */
const KINDS = [
  'pending',
  'returned',
  'trapped',
  'thread killed',
  'process killed',
  'notified',
  'not loaded',
  'lost',
] as const;

export interface KernelVerdict {
  readonly kind: (typeof KINDS)[number];
  readonly value: bigint;
}

export interface KernelCase {
  readonly number: number;
  readonly args: readonly bigint[];
}

export interface Experiment {
  readonly program: Program;
  readonly cases: readonly KernelCase[];
}

export interface KernelAnswers {
  /** What a filter finds as the instruction pointer. */
  readonly instructionPointer: bigint;
  /** Of each experiment, of each case. */
  readonly verdicts: readonly (readonly KernelVerdict[])[];
}

const CASE_BYTES = 56;

function encodeExperiment({ program, cases }: Experiment): Uint8Array {
  const instructions = encodeProgram(program);
  const bytes = new Uint8Array(8 + instructions.length + cases.length * CASE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, program.length, true);
  view.setUint32(4, cases.length, true);
  bytes.set(instructions, 8);
  cases.forEach(({ number, args }, index) => {
    const at = 8 + instructions.length + index * CASE_BYTES;
    view.setBigUint64(at, BigInt(number), true);
    args.forEach((value, argument) => {
      view.setBigUint64(at + 8 + argument * 8, value & 0xffffffff_ffffffffn, true);
    });
  });
  return bytes;
}

/** The helper, compiled into `directory`; the reason if that cannot be done here. */
export function buildHelper(directory: string): CHelper {
  const flags = ['-pthread'];
  return cHelper('verdicts', 'test/seccomp/kernel/verdicts.c', { directory, flags });
}

/** Runs every case of every experiment on this kernel. */
export function askKernel(helper: string, experiments: readonly Experiment[]): KernelAnswers {
  const { status, signal, stdout } = spawnSync(helper, {
    input: Buffer.concat(experiments.map(encodeExperiment)),
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`the helper ended with ${status ?? signal}`);
  const view = new DataView(stdout.buffer, stdout.byteOffset, stdout.length);
  let at = 8;
  const verdicts = experiments.map(({ cases }) =>
    cases.map(() => {
      const kind = KINDS[Number(view.getBigInt64(at, true))] ?? 'lost';
      const value = view.getBigInt64(at + 8, true);
      at += 16;
      return { kind, value };
    }),
  );
  return { instructionPointer: view.getBigUint64(0, true), verdicts };
}
