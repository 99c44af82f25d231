import { ARCHITECTURE_NAMES, type ArchitectureName, architectureOf } from '../architecture.js';
import { LearnInputError, ObservationTally, type ObservedRun } from './observation.js';

/** `type=SECCOMP` of auditd, `type=1326` of the kernel's log. */
const RECORD = /\btype=(?:SECCOMP|1326)\b/u;

/**
 * The syscalls that a filter logged (`SECCOMP_RET_LOG`, minijail's log mode). The kernel logs numbers and no arguments,
 * so no argument rules come of it.
 *
 * @param architecture whose records are wanted: a log may have several
 * @throws LearnInputError if it has none
 */
export function parseAuditLog(text: string, architecture: ArchitectureName): ObservedRun {
  const { auditArch, syscallNames } = architectureOf(architecture);
  const tally = new ObservationTally();
  const foreign = new Set<string>();
  let unknown = 0;
  for (const line of text.split('\n')) {
    if (!RECORD.test(line)) continue;
    const arch = Number.parseInt(/\barch=([0-9a-f]+)/u.exec(line)?.[1] ?? '', 16);
    const number = Number(/\bsyscall=(\d+)/u.exec(line)?.[1] ?? Number.NaN);
    if (arch !== auditArch) {
      foreign.add(nameOfAudit(arch));
      continue;
    }
    const name = syscallNames.get(number);
    if (name === undefined) unknown += 1;
    else tally.add(name, new Map());
  }
  const { observations } = tally;
  if (observations.length === 0) {
    const others = foreign.size === 0 ? '' : `; there are records of ${[...foreign].join(', ')}`;
    throw new LearnInputError(
      `there is no audit record of a filter for ${architecture} in it (type=SECCOMP or type=1326)${others}`,
    );
  }
  const remarks = [
    'the audit log has no arguments: no rule looks at them',
    ...(unknown === 0 ? [] : [`${unknown} records are of syscalls without a known name`]),
    ...(foreign.size === 0 ? [] : [`records of ${[...foreign].join(', ')} were not used`]),
  ];
  return { observations, architecture, remarks };
}

function nameOfAudit(auditArch: number): string {
  const known = ARCHITECTURE_NAMES.find((name) => architectureOf(name).auditArch === auditArch);
  return known ?? `the architecture 0x${auditArch.toString(16)}`;
}
