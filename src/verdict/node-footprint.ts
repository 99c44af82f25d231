import { type SyscallUse, syscall } from '../hal/contract/footprint.js';
import type { Architecture, ArchitectureName } from '../seccomp/architecture.js';
import { madeSyscalls } from './made-syscalls.js';
import type { SyscallJudge, VerdictKind } from './syscall-verdict.js';

/** One kind of system call that was seen. */
export interface SeenSyscall {
  readonly name: string;
  /** What it asks for, by position: constants' names joined by "|", or a number. */
  readonly args: Readonly<Record<string, string | number>>;
  /** Which threads make it. */
  readonly threads: 'main' | 'other' | 'all';
}

/** What a device's process does beside the calls of the HAL, as it was measured. */
export interface NodeFootprint {
  /** `v20.20.2`. */
  readonly node: string;
  readonly arch: ArchitectureName;
  /** How and where. */
  readonly measured: string;
  readonly syscalls: readonly SeenSyscall[];
}

export interface NodeFinding {
  readonly kind: Exclude<VerdictKind, 'allowed'>;
  readonly isSurvived: boolean;
  readonly syscall: string;
  readonly why: string;
}

export interface NodeVerdicts {
  /** False if this version was not measured on this architecture: then another measurement stands in. */
  readonly isMeasured: boolean;
  /** What was judged, in words. */
  readonly basis: string;
  readonly syscalls: number;
  readonly findings: readonly NodeFinding[];
}

/** What 32-bit arm's C libraries make in place of what 64-bit ones do; the same arguments stand at the same places. */
const ON_ARM: Readonly<Record<string, string>> = {
  mmap: 'mmap2',
  fcntl: 'fcntl64',
  fstat: 'fstat64',
};

/** Judges what Node itself does; errors are survived where the measured process survived them. */
export function judgeNode(
  footprints: readonly NodeFootprint[],
  version: string,
  judge: SyscallJudge,
): NodeVerdicts {
  const { architecture } = judge.policy;
  const measured = nearest(footprints, version, architecture.name);
  if (measured === undefined) {
    return { isMeasured: false, basis: 'not measured', syscalls: 0, findings: [] };
  }
  const isMeasured = measured.node === version && measured.arch === architecture.name;
  const findings: NodeFinding[] = [];
  const made = madeSyscalls(usesOf(measured, architecture), {}, architecture);
  for (const each of made) {
    const { kind, isSurvived, why } = judge.judge(each);
    if (kind !== 'allowed') findings.push({ kind, isSurvived, syscall: each.text, why });
  }
  const basis = isMeasured
    ? `${version} on ${architecture.name}: ${measured.measured}`
    : `${version} on ${architecture.name} is not measured; as ${measured.node} does on ${measured.arch}`;
  return { isMeasured, basis, syscalls: made.length, findings };
}

/** The same version, or else one of the same architecture, or else any; of several the last. */
function nearest(
  footprints: readonly NodeFootprint[],
  version: string,
  arch: ArchitectureName,
): NodeFootprint | undefined {
  const closeness = (each: NodeFootprint): number =>
    (each.arch === arch ? 2 : 0) + (each.node === version ? 1 : 0);
  return footprints.reduce<NodeFootprint | undefined>(
    (best, each) => (best === undefined || closeness(each) >= closeness(best) ? each : best),
    undefined,
  );
}

function usesOf(measured: NodeFootprint, architecture: Architecture): readonly SyscallUse[] {
  return measured.syscalls.flatMap(({ name, args }) => {
    const other = measured.arch !== architecture.name && architecture.name === 'arm';
    const known = other ? (ON_ARM[name] ?? name) : name;
    // What an architecture does not have, such as epoll_wait on aarch64, its Node does not make.
    if (!architecture.syscalls.has(known)) return [];
    return [syscall<never>(known, args)];
  });
}
