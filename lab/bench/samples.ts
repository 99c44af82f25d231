import type { VmmCpu } from './cpu-time.js';
import type { GuestSetup, Variant } from './vmm.js';

/** What the host is told to do. */
export interface Plan {
  /** How often each variant is measured. */
  readonly rounds: number;
  readonly variants: readonly Variant[];
  /** Whether there is a first run of each that counts syscalls and is not measured. */
  readonly counts: boolean;
}

export interface Phase {
  readonly seconds: number;
  readonly cpu: VmmCpu;
  /** Exits to the host for port and memory accesses. */
  readonly deviceExits: number;
}

/** What one run of one guest gave. */
export interface RunSample {
  readonly variant: Variant;
  /** From the start of the VMM's process to the guest's first process. */
  readonly boot: Phase;
  /** The guest's own clock at that moment: what came before is the VMM's start and the kernel's decompression. */
  readonly guestUpSeconds: number;
  /** From setting the target until the guest says that it holds so much. */
  readonly inflate: Phase;
  readonly residentBytesBefore: number;
  readonly residentBytesAfter: number;
  /** Only where the run was recorded. */
  readonly traceBytes: number | undefined;
}

/** What comes out of the host. */
export interface HostReport {
  readonly qemuVersion: string;
  readonly kernel: string;
  readonly processors: number;
  readonly memoryMiB: number;
  readonly guest: GuestSetup;
  readonly samples: readonly RunSample[];
  /** Calls that gave memory back while inflating, from a run of its own that is in no other figure. */
  readonly discardCalls: Readonly<Partial<Record<Variant, number>>>;
}
