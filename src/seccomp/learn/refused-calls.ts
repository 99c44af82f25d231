import { ARCHITECTURE_NAMES, architectureOf } from '../architecture.js';
import { chosenValue } from '../explain/constant-names.js';
import { ObservationTally, type ObservedRun, type ObservedValue } from './observation.js';

/** A system call as the kernel told it of a process whose filter did not allow it. */
export interface RefusedCall {
  /** AUDIT_ARCH_* of the caller. */
  readonly auditArch: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

/**
 * What a filter did not allow and that was done all the same. The kernel tells numbers; the argument that chooses what a
 * syscall does gets its name back, so that it can be had on other architectures.
 */
export function observeRefused(calls: Iterable<RefusedCall>): Omit<ObservedRun, 'architecture'> {
  const tally = new ObservationTally();
  let unknown = 0;
  for (const { auditArch, number, args } of calls) {
    const architecture = ARCHITECTURE_NAMES.map(architectureOf).find(
      (each) => each.auditArch === auditArch,
    );
    const name = architecture?.syscallNames.get(number);
    if (architecture === undefined || name === undefined) {
      unknown += 1;
      continue;
    }
    const chosen = chosenValue(architecture, name, args);
    const known: [number, ObservedValue][] =
      chosen === undefined ? [] : [[chosen.argument, { text: chosen.text, chooses: true }]];
    tally.add(name, new Map(known), { architecture: architecture.name });
  }
  const remarks = unknown === 0 ? [] : [`${unknown} refused calls have no known name`];
  return { observations: tally.observations, remarks };
}
