import type { Bytes, MiB, Nanoseconds } from '../hal/contract/units.js';

/** What the step policy is told once. */
export interface StepConfig {
  /** Guest memory. */
  readonly ramBytes: Bytes;
  /** Multiplies every duration of the policy (1 = the original's). Below 1 for demonstrations; belongs in the trace. */
  readonly timeScale?: number;
}

/** The figures that follow from the guest's memory, fixed for a run. */
export interface StepLimits {
  /** The most that the balloon may hold. */
  readonly maxBytes: Bytes;
  /** How much one step changes. */
  readonly incrementBytes: Bytes;
  /** A shrink needs this much available memory above the margin. */
  readonly roomMiB: MiB;
}

/**
 * `starting`: no figures were read yet. `active`: P1 at work. `idle`: the host's margin is off; it is read again every
 * 60 s. `disabled`: the figures cannot be read; the balloon stays as it is.
 */
export type StepMode = 'starting' | 'active' | 'idle' | 'disabled';

/** The random part of the timers, drawn in this order at every low-memory event (P1.1). */
export interface LowMemoryDraws {
  /** 0 to 199. */
  readonly lowTimerMs: number;
  /** 0 to 11. */
  readonly freeFirstS: number;
  /** 0 to 5. */
  readonly freePeriodS: number;
}

export interface StepState {
  readonly limits: StepLimits;
  readonly timeScale: number;
  readonly mode: StepMode;
  /** What the device was last told, and took. */
  readonly currentBytes: Bytes;
  /** A target that was decided and not delivered; the next event sends it again unless it decides a newer one. */
  readonly unsentBytes: Bytes | undefined;
  /** True from a failed delivery to the next good one. */
  readonly sendFailing: boolean;
  /** True while a low-memory event is wanted (the original: the descriptor is in the poll set). */
  readonly listening: boolean;
  /** The jitter drawn last; it serves again when an idle policy resumes. */
  readonly draws: LowMemoryDraws | undefined;
}

/** The host's figures at one moment, or why there are none. */
export type Observation =
  | { readonly status: 'read'; readonly availableMiB: MiB; readonly marginMiB: MiB }
  /** The notifier's margin is "off". */
  | { readonly status: 'off' }
  | { readonly status: 'unreadable'; readonly reason: string };

export type StepInput = { readonly nowNs: Nanoseconds } & (
  | { readonly kind: 'low-memory'; readonly draws?: LowMemoryDraws | undefined }
  | { readonly kind: 'low-memory-timer' }
  | { readonly kind: 'free-memory-timer'; readonly observation?: Observation | undefined }
  /** The figures read at the start, or again while the margin is off. */
  | { readonly kind: 'margin-read'; readonly observation: Observation }
  /** How the one `send` of the step before ended. */
  | { readonly kind: 'send-result'; readonly failure?: string | undefined }
  /** The source of low-memory events cannot be armed, or does not exist. */
  | { readonly kind: 'source-failed'; readonly reason: string }
);

export type StepTimer = 'low-memory' | 'free-memory' | 'margin';

export type StepAction =
  /** Tell the device this absolute target. At most one in a step; answer it with `send-result`. */
  | { readonly kind: 'send'; readonly targetBytes: Bytes }
  | { readonly kind: 'arm-pressure' }
  | { readonly kind: 'disarm-pressure' }
  | {
      readonly kind: 'arm-timer';
      readonly timer: StepTimer;
      readonly firstNs: Nanoseconds;
      /** 0: once. */
      readonly periodNs: Nanoseconds;
    }
  | { readonly kind: 'disarm-timer'; readonly timer: StepTimer }
  /** Something that a person should know, said once. */
  | { readonly kind: 'say'; readonly message: string };

interface Change {
  readonly fromBytes: Bytes;
  readonly toBytes: Bytes;
}

interface Room {
  readonly availableMiB: MiB;
  readonly marginMiB: MiB;
  /** The least available memory that allows a shrink. */
  readonly neededMiB: MiB;
}

interface Rearmed {
  readonly maxBytes: Bytes;
  readonly incrementBytes: Bytes;
  readonly lowTimerNs: Nanoseconds;
  readonly freeFirstNs: Nanoseconds;
  readonly freePeriodNs: Nanoseconds;
}

/** The target that an earlier failure left over and that this step sends again. */
interface Again {
  readonly sentAgainBytes: Bytes | undefined;
}

/** Why a step did what it did: the rule, by its number in the description of the 2018 policy, and what decided. */
export type StepWhy =
  | ({ readonly rule: 'P1.1-grow' } & Change & Rearmed)
  | ({ readonly rule: 'P1.1-at-max'; readonly currentBytes: Bytes } & Rearmed)
  | ({ readonly rule: 'P1.2-listen-again' } & Again)
  | ({ readonly rule: 'P1.3-shrink' } & Change & Room)
  | ({ readonly rule: 'P1.3-not-enough-room'; readonly currentBytes: Bytes } & Room & Again)
  | { readonly rule: 'P1.3-empty' }
  | { readonly rule: 'P1.5-delivered'; readonly currentBytes: Bytes }
  | {
      readonly rule: 'P1.5-send-failed';
      readonly currentBytes: Bytes;
      readonly unsentBytes: Bytes;
      readonly reason: string;
    }
  | ({ readonly rule: 'P1.6-margin-off'; readonly readAgainNs: Nanoseconds } & Again)
  | ({ readonly rule: 'P1.6-margin-still-off' } & Again)
  | ({ readonly rule: 'P1.6-margin-back'; readonly marginMiB: MiB } & Again)
  | { readonly rule: 'P1.6-unreadable'; readonly reason: string }
  | { readonly rule: 'P1.8-no-source'; readonly reason: string }
  | { readonly rule: 'start'; readonly availableMiB: MiB; readonly marginMiB: MiB }
  /** The event does not count in this mode, for example a timer that expired before it was stopped. */
  | { readonly rule: 'not-wanted'; readonly mode: StepMode };

export type StepRule = StepWhy['rule'];

export interface StepResult {
  readonly state: StepState;
  /** To be carried out in this order. */
  readonly actions: readonly StepAction[];
  readonly why: StepWhy;
}
