import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { Check, RunReport } from './suite-case.js';

/** How often a run may begin again. */
export const MOST_BOOT_FAULTS = 2;

/**
 * Whether the emulated processor, and not this project, lost the guest: QEMU 7.2's nested SVM lets about one in ten
 * kernels take a triple fault while they boot, before any of our devices has a driver. That may be because it changes
 * `interrupt_request` in VMRUN without the lock (target/i386/tcg/sysemu/svm_helper.c), while other threads change it too.
 * arm64 hosts have no such fault, and a guest that was up has no excuse.
 */
export function isBootFault(
  arch: GuestArchitecture,
  { end, notes }: Pick<RunReport, 'end' | 'notes'>,
): boolean {
  return arch === 'x86_64' && end?.kind === 'shutdown' && notes?.length === 0;
}

/** Said only where it came to that. */
export function bootFaultChecks({ bootFaults }: Pick<RunReport, 'bootFaults'>): readonly Check[] {
  if (bootFaults === 0) return [];
  return [
    {
      what: 'begun again: triple faults of the emulated processor before the guest was up',
      figure: String(bootFaults),
      limit: `at most ${MOST_BOOT_FAULTS}`,
      holds: bootFaults <= MOST_BOOT_FAULTS,
    },
  ];
}
