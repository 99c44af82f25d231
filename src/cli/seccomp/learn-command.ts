import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  ARCHITECTURE_NAMES,
  type Architecture,
  architectureOf,
} from '../../seccomp/architecture.js';
import { parseAuditLog } from '../../seccomp/learn/audit-log.js';
import type { ObservedRun } from '../../seccomp/learn/observation.js';
import { type Proposal, proposePolicy } from '../../seccomp/learn/propose.js';
import { parseStraceLog } from '../../seccomp/learn/strace-log.js';
import type { Dialect } from '../../seccomp/policy.js';
import { EXIT, UsageError } from '../failure.js';
import type { Output } from '../output.js';
import { readText } from '../policy-text.js';
import { architectureNamed, dialectOf } from './policy-input.js';

export interface LearnFlags {
  /** Of the policies; undefined: all. */
  readonly arch: string | undefined;
  readonly dialect: Dialect | undefined;
  readonly trace: string | undefined;
  readonly lane: string | undefined;
  readonly program: string | undefined;
  readonly strace: string | undefined;
  readonly audit: string | undefined;
  /** Of the log; undefined: this machine's. */
  readonly logArch: string | undefined;
  readonly output: string | undefined;
  readonly name: string;
}

interface Learned {
  readonly run: ObservedRun;
  readonly source: string;
  /** Of a program that was run. */
  readonly programExitCode?: number;
}

/** Proposes policies that allow what was seen. */
export async function learnCommand(
  command: readonly string[],
  flags: LearnFlags,
  output: Output,
): Promise<number> {
  const dialect = dialectOf(flags);
  const architectures = targets(flags.arch);
  if (!/^[\w.-]+$/.test(flags.name)) {
    throw new UsageError(`--name is a file's name without folders, got "${flags.name}"`);
  }
  const { run, source, programExitCode } = await learned(command, flags);
  const proposals = architectures.map((architecture) =>
    proposePolicy(run, { architecture, dialect, source }),
  );
  for (const remark of run.remarks) output.warn(`${source}: ${remark}`);
  if (programExitCode !== undefined && programExitCode !== 0) {
    output.warn(
      `${source} ended with ${programExitCode}: perhaps it did not do all that it should`,
    );
  }
  const files = flags.output === undefined ? [] : writeAll(proposals, flags.output, flags.name);
  if (flags.output === undefined) for (const { text } of proposals) output.line(text.trimEnd());
  for (const file of files) output.line(`${file}: written`);
  output.result({
    source,
    dialect,
    remarks: run.remarks,
    ...(programExitCode === undefined ? {} : { programExitCode }),
    policies: proposals.map(({ architecture, ...told }, index) => ({
      architecture: architecture.name,
      ...told,
      file: files[index],
    })),
  });
  return EXIT.ok;
}

function targets(arch: string | undefined): readonly Architecture[] {
  return arch === undefined ? ARCHITECTURE_NAMES.map(architectureOf) : [architectureOf(arch)];
}

async function learned(command: readonly string[], flags: LearnFlags): Promise<Learned> {
  const { trace, strace, audit, logArch } = flags;
  const sources = [trace, strace, audit].filter((source) => source !== undefined).length;
  if (sources + (command.length > 0 ? 1 : 0) !== 1) {
    throw new UsageError(
      'say what to learn from: one of --trace RECORDING, --strace LOG, --audit LOG, or -- COMMAND to run it',
    );
  }
  if (trace !== undefined) {
    const { footprintsOf } = await import('./footprints.js');
    return { run: await footprintsOf(trace, flags.lane, flags.program), source: basename(trace) };
  }
  const architecture = architectureNamed(logArch);
  if (strace !== undefined) {
    return { run: parseStraceLog(readText(strace), architecture), source: basename(strace) };
  }
  if (audit !== undefined) {
    return { run: parseAuditLog(readText(audit), architecture.name), source: basename(audit) };
  }
  const { runAndObserve } = await import('./learn-run.js');
  const { run, exitCode } = await runAndObserve(command, architecture);
  return { run, source: basename(command[0] ?? ''), programExitCode: exitCode };
}

/** ARCH/NAME.policy in a folder. A policy that is there may have been worked on: it is not written over. */
function writeAll(proposals: readonly Proposal[], folder: string, name: string): readonly string[] {
  return proposals.map(({ architecture, text }) => {
    const file = join(folder, architecture.name, `${name}.policy`);
    try {
      mkdirSync(join(folder, architecture.name), { recursive: true });
      writeFileSync(file, text, { flag: 'wx' });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const remedy = code === 'EEXIST' ? ': name another folder or --name' : '';
      throw new UsageError(`${file} cannot be written: ${code ?? String(error)}${remedy}`);
    }
    return file;
  });
}
