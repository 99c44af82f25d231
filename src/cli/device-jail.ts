import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../package-info.js';
import { DEVICE_POLICY, type JailChoice, type Refused } from '../programs/device-jail.js';
import { type Architecture, architectureOf } from '../seccomp/architecture.js';
import { encodeProgram } from '../seccomp/bpf/instruction.js';
import { compilePolicy } from '../seccomp/compile/compile.js';
import { PolicyEvaluator } from '../seccomp/evaluate.js';
import { PolicyError } from '../seccomp/language/diagnostic.js';
import { parsePolicy } from '../seccomp/language/parse-policy.js';
import type { Policy } from '../seccomp/policy.js';
import { seccompData } from '../seccomp/seccomp-data.js';
import { UsageError } from './failure.js';

/** What is lost without a jail. */
export const NO_JAIL =
  'the device runs without a jail: a guest that takes it over can do whatever this user can (open files, connect, start programs)';

/** A policy of this machine's, ready for the device's process. */
export interface DeviceJail {
  /** By their names in the trace. */
  readonly programs: ReadonlyMap<string, Uint8Array>;
  /** What was refused, why, and what to do about it: one line. */
  readonly explain: (refused: Refused) => string;
}

/** The shipped policy of this machine's architecture. */
export function shippedPolicy(architecture = architectureOf(process.arch).name): string {
  return join(packageRoot(), 'seccomp', architecture, `${DEVICE_POLICY}.policy`);
}

/**
 * Compiles the device's policy: here, because a process that is to be jailed has better things to do.
 *
 * @param file in minijail's Python dialect; what it does not allow is done as `choice` says.
 * @throws UsageError if it cannot be read, or is none.
 */
export function loadDeviceJail(
  choice: Exclude<JailChoice, 'off'>,
  file: string = shippedPolicy(),
): DeviceJail {
  const architecture = architectureOf(process.arch);
  const policy = parse(file, architecture, choice);
  const program = encodeProgram(
    compilePolicy(policy, { foreignArchitecture: { kind: 'kill-process' } }),
  );
  const evaluator = new PolicyEvaluator(policy);
  return {
    programs: new Map([[DEVICE_POLICY, program]]),
    explain: (refused) => explain(refused, architecture, evaluator, file),
  };
}

function parse(
  file: string,
  architecture: Architecture,
  choice: Exclude<JailChoice, 'off'>,
): Policy {
  try {
    return parsePolicy({
      text: readFileSync(file, 'utf8'),
      file,
      dialect: 'minijail-python',
      architecture,
      include: readInclude,
      defaultAction: { kind: choice },
    }).policy;
  } catch (error) {
    if (error instanceof PolicyError) throw new UsageError(error.message);
    throw new UsageError(`the policy ${file} cannot be read: ${(error as Error).message}`);
  }
}

function readInclude(path: string): string | Error {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return error as Error;
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function explain(
  refused: Refused,
  architecture: Architecture,
  evaluator: PolicyEvaluator,
  file: string,
): string {
  const { auditArch, number, args, thread, isMainThread, during } = refused;
  const name = architecture.syscallNames.get(number) ?? `system call ${number}`;
  const where = during !== '' ? `during ${during}` : `on its ${isMainThread ? 'main ' : ''}thread`;
  const what = `${name}(${args.map(hex).join(', ')}) ${where} (${thread})`;
  const { by, failed } = evaluator.judge(seccompData(auditArch, number, args));
  if (by !== 'otherwise' || failed.length === 0) {
    return (
      `the jail refused ${what}: ${basename(file)} has no rule for ${name}. If the device needs it, add ` +
      `"${name}: allow" there; if not, something has taken it over`
    );
  }
  const unmet = failed.map(({ atom }) => {
    const { argument, operator, value, span } = atom;
    return `${basename(span.file)}:${span.line} wants arg${argument} ${operator} ${hex(value)}`;
  });
  return (
    `the jail refused ${what}: ${unmet.join(', ')}. If the device needs it, add a clause there; if not, something has ` +
    'taken it over'
  );
}
