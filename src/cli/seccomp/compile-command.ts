import { writeFileSync } from 'node:fs';
import { formatCArray } from '../../seccomp/bpf/c-array.js';
import { encodeProgram, type Program } from '../../seccomp/bpf/instruction.js';
import { compilePolicy } from '../../seccomp/compile/compile.js';
import { programCost } from '../../seccomp/program-cost.js';
import { EXIT, UsageError } from '../failure.js';
import type { Output } from '../output.js';
import { loadPolicy } from './policy-input.js';
import type { PolicyFlags } from './policy-options.js';

export interface CompileFlags extends PolicyFlags {
  readonly output: string | undefined;
  readonly format: 'raw' | 'c';
  /** Of the array in C. */
  readonly name: string;
}

/** Compiles a policy: to a file, or to C on standard output, or just to say what it costs. */
export function compileCommand(path: string, flags: CompileFlags, output: Output): number {
  if (!/^[A-Za-z_]\w*$/.test(flags.name)) {
    throw new UsageError(`--name is an identifier of C, got "${flags.name}"`);
  }
  const { policy, warnings } = loadPolicy(path, flags, output);
  const program = compilePolicy(policy);
  const cost = programCost(policy, program);
  const { name: architecture } = policy.architecture;
  if (flags.output !== undefined) write(flags.output, content(program, flags));
  else if (flags.format === 'c') {
    output.line(formatCArray(program, flags.name).trimEnd());
    output.result({ policy: path, architecture, program: formatCArray(program, flags.name) });
    return EXIT.ok;
  }
  const { allowed, weighted, plain, most } = cost;
  const where = flags.output === undefined ? '' : `${flags.output}: written; `;
  output.line(
    `${where}${path} for ${architecture} (${policy.dialect}): ${program.length} instructions, ` +
      `${policy.syscalls.size} syscalls with rules`,
  );
  output.line(
    `  an allowed syscall executes ${weighted.toFixed(2)} instructions as the frequencies weigh ` +
      `${allowed} of them, ${plain.toFixed(2)} if each counts the same, ${most} at most`,
  );
  output.result({
    policy: path,
    architecture,
    dialect: policy.dialect,
    instructions: program.length,
    syscalls: policy.syscalls.size,
    cost,
    ...(flags.output === undefined ? {} : { output: flags.output, format: flags.format }),
    program: encodeProgram(program),
    warnings,
  });
  return EXIT.ok;
}

function content(program: Program, { format, name }: CompileFlags): Uint8Array | string {
  return format === 'c' ? formatCArray(program, name) : encodeProgram(program);
}

function write(path: string, data: Uint8Array | string): void {
  try {
    writeFileSync(path, data);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${path} cannot be written: ${code ?? String(error)}`);
  }
}
