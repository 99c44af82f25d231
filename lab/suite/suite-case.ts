import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { MiB } from '../../src/hal/contract/units.js';
import type { Faults } from '../../src/hal/scripted/faults.js';
import type { VmEnd } from '../../src/machine/vm-end.js';
import type { ScenarioNote } from '../../src/programs/scenario-run.js';

/** What the run in the host left, as JSON. */
export interface RunReport {
  readonly exitCode: number;
  readonly notes?: readonly ScenarioNote[];
  readonly end?: VmEnd | undefined;
  readonly error?: { readonly code: string; readonly message: string };
  /** What the guest left on its disk: a SHA-256, in hex. */
  readonly diskSha256?: string;
  /** Faults that were planned and never came to be. */
  readonly unusedFaults: number;
  /** How often the run began again because the emulated processor lost its guest (boot-faults.ts). */
  readonly bootFaults: number;
  readonly seconds: number;
}

/** What the replay of the run's trace on this machine showed. */
export interface ReplayFacts {
  /** Undefined if every lane was identical. */
  readonly divergence: string | undefined;
  readonly lanes: readonly string[];
  readonly turns: number;
  /** What the policy believes at the end that the device was told. */
  readonly believedBytes: number | undefined;
  /** What the guest said last. */
  readonly actualPages: number;
  readonly notices: readonly string[];
  /** How the recorded run failed, if it did. */
  readonly failure: string | undefined;
}

export interface Evidence {
  readonly arch: GuestArchitecture;
  readonly report: RunReport;
  readonly replay: ReplayFacts;
}

/** One thing that must be so, with its figure and its limit. */
export interface Check {
  readonly what: string;
  readonly figure: string;
  readonly limit: string;
  readonly holds: boolean;
}

/** A run in the host, and what must be seen of it. */
export interface SuiteCase {
  readonly name: string;
  /** Why it cannot be there. */
  readonly skip?: Partial<Readonly<Record<GuestArchitecture, string>>>;
  /** It needs a machine with a GICv2: a host of its own. */
  readonly needsGicV2?: boolean;
  /** The configuration of the run (balloon-config.ts). */
  readonly config: (arch: GuestArchitecture) => object;
  readonly faults?: (faults: Faults) => void;
  /** Default: 0. */
  readonly exitCode?: number;
  /** It has no guest, or one that is to panic: no log is judged. */
  readonly hasNoLog?: boolean;
  /** The guest's first disk is a file of this size, which begins as zeros; a second, read-only one is the guest's kernel. */
  readonly diskMiB?: MiB;
  readonly checks: (evidence: Evidence) => readonly Check[];
}
