import { join } from 'node:path';
import { packageRoot } from '../package-info.js';
import { DEVICE_POLICY, type JailChoice, type Refused } from '../programs/device-jail.js';
import { type Architecture, architectureOf } from '../seccomp/architecture.js';
import { encodeProgram } from '../seccomp/bpf/instruction.js';
import { compilePolicy } from '../seccomp/compile/compile.js';
import { explainData } from '../seccomp/explain/explain.js';
import { parsePolicy } from '../seccomp/language/parse-policy.js';
import type { Policy } from '../seccomp/policy.js';
import { seccompData } from '../seccomp/seccomp-data.js';
import { UsageError } from './failure.js';
import { readText, tryReadText } from './policy-text.js';

/** What is lost without a jail. */
export const NO_JAIL =
  'the device runs without a jail: a guest that takes it over can do whatever this user can (open files, connect, start programs)';

/** What a jail is that only logs. */
export const LOG_ONLY =
  'the jail only logs: what the policy does not allow is told and done all the same. ' +
  'Of a recording, halyard seccomp learn --trace proposes a policy that allows it';

/** A policy of this machine's, ready for the device's process. */
export interface DeviceJail {
  /** By their names in the trace. */
  readonly programs: ReadonlyMap<string, Uint8Array>;
  /**
   * What was refused, why, and what to do about it: one line. Undefined where the jail only logs, and the same call was told
   * before.
   */
  readonly explain: (refused: Refused) => string | undefined;
}

/** The shipped policy of this machine's architecture. */
export function shippedPolicy(architecture = architectureOf(process.arch).name): string {
  return join(packageRoot(), 'seccomp', architecture, `${DEVICE_POLICY}.policy`);
}

/**
 * Compiles the device's policy: here, because a process that is to be jailed has better things to do.
 *
 * @param file in minijail's Python dialect; what it does not allow is done as `choice` says.
 * @throws UsageError if it cannot be read; PolicyError, CompileError.
 */
export function loadDeviceJail(
  choice: Exclude<JailChoice, 'off'>,
  file: string = shippedPolicy(),
): DeviceJail {
  const architecture = architectureOf(process.arch);
  const policy = parse(file, architecture, choice);
  if (choice !== 'kill-process') refuseSilence(policy, file);
  const program = encodeProgram(compilePolicy(policy));
  return {
    programs: new Map([[DEVICE_POLICY, program]]),
    explain:
      choice === 'log' ? eachOnce(policy) : (refused) => describe(refused, policy, 'refused'),
  };
}

/**
 * The device's process hands its listener over by sendmsg(2), before anybody can answer for it: if that were refused it
 * would wait for ever.
 *
 * @throws UsageError
 */
function refuseSilence({ architecture, syscalls }: Policy, file: string): void {
  const rules = syscalls.get(architecture.syscalls.get('sendmsg') ?? -1);
  const [first] = rules?.filters ?? [];
  if (first?.clauses.length === 0 && first.action.kind === 'allow') return;
  throw new UsageError(
    `${file} does not allow sendmsg, whatever its arguments, by which the device's process hands over its listener: ` +
      'add `sendmsg: 1`, or take --jail kill-process',
  );
}

/** A jail that lets pass what it should refuse is told the same again and again. */
function eachOnce(policy: Policy): DeviceJail['explain'] {
  const told = new Set<string>();
  return (refused) => {
    const key = `${refused.auditArch} ${refused.number} ${refused.during}`;
    if (told.has(key)) return undefined;
    told.add(key);
    return describe(refused, policy, 'would refuse');
  };
}

function parse(
  file: string,
  architecture: Architecture,
  choice: Exclude<JailChoice, 'off'>,
): Policy {
  const { policy } = parsePolicy({
    text: readText(file),
    file,
    dialect: 'minijail-python',
    architecture,
    include: tryReadText,
    defaultAction: { kind: choice === 'log' ? 'user-notify' : choice },
  });
  // A thread that is killed alone leaves a process that waits for it for ever.
  return { ...policy, foreignAction: { kind: 'kill-process' } };
}

/** One line: what was refused, where the policy says so, and what would allow it. */
function describe(refused: Refused, policy: Policy, does: 'refused' | 'would refuse'): string {
  const { auditArch, number, args, thread, isMainThread, during } = refused;
  const { call, judgement, where, failed, remedy } = explainData(
    policy,
    seccompData(auditArch, number, args),
  );
  const doing = during === '' ? '' : `during ${during}, `;
  const who = `the device's process (${doing}thread ${thread}${isMainThread ? ', the main one' : ''})`;
  const what = `the jail ${does} ${call} of ${who}`;
  // Only the test in front of every policy refuses what the policy itself allows.
  if (judgement.action.kind === 'allow') return `${what}: it names another process. ${SUSPECT}`;
  const reasons = [where === undefined ? 'no rule names it' : where, ...failed];
  const allow = remedy === undefined ? '' : ` To allow it: ${remedy.text}.`;
  return `${what}: ${reasons.join('; ')}.${allow} ${SUSPECT}`;
}

const SUSPECT = 'If the device never does this by itself, something else runs in it';
