import { ACTION_WORDS, defaultActionNamed } from '../../seccomp/action-words.js';
import { type Architecture, architectureOf } from '../../seccomp/architecture.js';
import { decodeProgram, type Program } from '../../seccomp/bpf/instruction.js';
import { validateProgram } from '../../seccomp/bpf/validate.js';
import { compilePolicy } from '../../seccomp/compile/compile.js';
import { formatDiagnostic } from '../../seccomp/language/diagnostic.js';
import type { ParsedPolicy, ParseInput } from '../../seccomp/language/parse-input.js';
import { parsePolicy } from '../../seccomp/language/parse-policy.js';
import type { Dialect } from '../../seccomp/policy.js';
import { argumentValue } from '../../seccomp/word-text.js';
import { UsageError } from '../failure.js';
import type { Output } from '../output.js';
import { readBytes, readText, tryReadText } from '../policy-text.js';
import type { PolicyFlags } from './policy-options.js';

/** @throws UnknownArchitectureError */
export function architectureNamed(arch: string | undefined): Architecture {
  return architectureOf(arch ?? process.arch);
}

/** @throws UsageError without a dialect: the same text may mean the opposite in the other one */
export function dialectOf({ dialect }: Pick<PolicyFlags, 'dialect'>): Dialect {
  if (dialect !== undefined) return dialect;
  throw new UsageError(
    'say which dialect the policy is written in, --dialect minijail-c or --dialect minijail-python: ' +
      "'expr; return E' means the opposite in the other one",
  );
}

/** @throws UsageError */
export function parseInputOf(path: string, flags: PolicyFlags): ParseInput {
  const architecture = architectureNamed(flags.arch);
  const { defaultAction: word, denylist, useKillProcess, useRetLog } = flags;
  const dialect = dialectOf(flags);
  const defaultAction =
    word === undefined ? undefined : defaultActionNamed(word, dialect, architecture.constants);
  if (word !== undefined && defaultAction === undefined) {
    throw new UsageError(`--default-action is one of ${ACTION_WORDS}, got "${word}"`);
  }
  return {
    text: readText(path),
    file: path,
    dialect,
    architecture,
    include: tryReadText,
    ...(defaultAction === undefined ? {} : { defaultAction }),
    options: { denylist, useKillProcess, useRetLog },
  };
}

/**
 * Parses a policy of the disk and says what it warns of.
 * @throws UsageError, PolicyError
 */
export function loadPolicy(path: string, flags: PolicyFlags, output: Output): ParsedPolicy {
  const parsed = parsePolicy(parseInputOf(path, flags));
  if (!output.json) for (const warning of parsed.warnings) output.note(formatDiagnostic(warning));
  return parsed;
}

/**
 * The program of a policy, or, if no dialect is given, the raw program that the file is.
 * @throws UsageError, PolicyError, CompileError, BpfError
 */
export function loadProgram(path: string, flags: PolicyFlags, output: Output): Program {
  if (flags.dialect !== undefined) return compilePolicy(loadPolicy(path, flags, output).policy);
  const bytes = readBytes(path);
  try {
    const program = decodeProgram(bytes);
    validateProgram(program);
    return program;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `${path} is no program that a kernel takes: ${reason}. If it is a policy, say its --dialect`,
    );
  }
}

export interface SyscallFlags {
  readonly syscall: string | undefined;
  readonly nr: number | undefined;
  readonly args: readonly string[];
}

export interface SyscallCall {
  readonly number: number;
  readonly args: readonly bigint[];
}

/** @throws UsageError */
export function callOf(flags: SyscallFlags, architecture: Architecture): SyscallCall {
  const words = flags.args.flatMap((text) => text.split(/[\s,]+/u)).filter((text) => text !== '');
  if (words.length > 6) throw new UsageError(`a syscall has six arguments, got ${words.length}`);
  const args = words.map((word, index) => {
    const value = argumentValue(word, architecture.constants);
    if (value !== undefined) return BigInt.asUintN(architecture.wordBits, value);
    throw new UsageError(
      `argument ${index} is a number of at most 64 bits or a constant of ${architecture.name}, got "${word}"`,
    );
  });
  return { number: numberOf(flags, architecture), args };
}

function numberOf({ syscall, nr }: SyscallFlags, { name, syscalls }: Architecture): number {
  if (syscall === undefined) {
    if (nr !== undefined) return nr;
    throw new UsageError('name the syscall, --syscall NAME or --nr NUMBER');
  }
  const number = syscalls.get(syscall);
  if (number !== undefined) return number;
  throw new UsageError(`${name} has no syscall "${syscall}" that is known here; try --nr NUMBER`);
}
