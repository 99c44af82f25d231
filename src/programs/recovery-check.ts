import {
  BALLOON_PAGE_BYTES,
  BYTES_PER_MIB,
  type Bytes,
  type Nanoseconds,
  NS_PER_S,
} from '../hal/contract/units.js';
import { isOrderly, type VmEnd } from '../machine/vm-end.js';
import type { PolicyDecision, PolicySample } from '../policy/policy-observer.js';
import { stepLimits } from '../policy/step-policy.js';
import type { StepLimits, StepRule } from '../policy/step-types.js';
import type { Finding } from '../program.js';
import { type BalloonVmConfig, ramBytes } from './balloon-config.js';

const TIGHT: ReadonlySet<StepRule> = new Set(['P1.1-grow', 'P1.1-at-max', 'P1.3-not-enough-room']);

/** The longest that P1 takes to an empty balloon once there is room for it, with the worst jitter (P1.c). */
const LONGEST_DEFLATION_NS: Nanoseconds = 596 * NS_PER_S;
/** That is the sum of its timers alone: when the last one has run out, the host still has to get to its turn. */
const TURN_DELAY_NS: Nanoseconds = NS_PER_S / 4;

interface Move {
  readonly timeNs: Nanoseconds;
  readonly fromBytes: Bytes;
  readonly toBytes: Bytes;
}

/**
 * What crosvm's change 448516e3f9 was tested by hand for: available memory falls under the margin, the balloon steps up
 * by a sixteenth of its maximum, available memory comes back, and when there is room again the balloon is empty in time.
 */
export class RecoveryCheck {
  readonly #limits: StepLimits;
  readonly #timeScale: number;
  readonly #grows: Move[] = [];
  readonly #shrinks: Move[] = [];
  #lowestBelow: { availableMiB: number; marginMiB: number } | undefined;
  #recoveredMiB: number | undefined;
  /** When the policy last saw that there was no room: a low-memory event, or a look at the figures that found too little. */
  #lastTightNs: Nanoseconds | undefined;
  #emptiedNs: Nanoseconds | undefined;
  #actualPages = 0;
  #highestPages = 0;
  #end: VmEnd | undefined;

  constructor(config: BalloonVmConfig) {
    this.#limits = stepLimits(ramBytes(config));
    this.#timeScale = config.timeScale;
  }

  sample({ availableMiB, marginMiB }: PolicySample): void {
    if (availableMiB === undefined || marginMiB === undefined) return;
    if (availableMiB < marginMiB) {
      const lowest = this.#lowestBelow?.availableMiB ?? Number.POSITIVE_INFINITY;
      if (availableMiB < lowest) this.#lowestBelow = { availableMiB, marginMiB };
      this.#recoveredMiB = undefined;
    } else if (this.#grows.length > 0) {
      this.#recoveredMiB ??= availableMiB;
    }
  }

  decision({ timeNs, why, currentBytes }: PolicyDecision): void {
    if (TIGHT.has(why.rule)) this.#lastTightNs = timeNs;
    if (why.rule === 'P1.1-grow') this.#grows.push({ timeNs, ...why });
    if (why.rule === 'P1.3-shrink') this.#shrinks.push({ timeNs, ...why });
    if (why.rule === 'P1.5-delivered') {
      this.#emptiedNs = currentBytes === 0 ? (this.#emptiedNs ?? timeNs) : undefined;
    }
  }

  actualChanged(pages: number): void {
    this.#actualPages = pages;
    this.#highestPages = Math.max(this.#highestPages, pages);
  }

  ended(end: VmEnd): void {
    this.#end = end;
  }

  findings(): readonly Finding[] {
    return [
      this.#underMargin(),
      this.#sixteenths(),
      this.#guestFollowed(),
      this.#recovered(),
      this.#emptyInTime(),
      this.#orderly(),
    ];
  }

  #underMargin(): Finding {
    const low = this.#lowestBelow;
    return {
      what: 'available memory fell under the margin',
      holds: low !== undefined,
      detail: low === undefined ? 'never' : `${low.availableMiB} of ${low.marginMiB} MiB`,
    };
  }

  #sixteenths(): Finding {
    const { incrementBytes, maxBytes } = this.#limits;
    const wrong = this.#grows.find(
      ({ fromBytes, toBytes }) => toBytes !== Math.min(fromBytes + incrementBytes, maxBytes),
    );
    const step = `${mebi(incrementBytes)} of at most ${mebi(maxBytes)}`;
    return {
      what: 'the balloon grew by a sixteenth of its maximum each time',
      holds: this.#grows.length > 0 && wrong === undefined,
      detail:
        wrong === undefined
          ? `${this.#grows.length} steps of ${step}`
          : `from ${wrong.fromBytes} to ${wrong.toBytes} bytes, not by ${step}`,
    };
  }

  /** A guest under pressure may lag behind; that it gives at least one step is what shows that it listens. */
  #guestFollowed(): Finding {
    const highest = this.#highestPages * BALLOON_PAGE_BYTES;
    return {
      what: 'the guest gave memory to its balloon',
      holds: highest >= this.#limits.incrementBytes,
      detail: `up to ${mebi(highest)}`,
    };
  }

  #recovered(): Finding {
    const at = this.#recoveredMiB;
    return {
      what: 'available memory came back over the margin',
      holds: at !== undefined,
      detail: at === undefined ? 'never to stay' : `${at} MiB`,
    };
  }

  #emptyInTime(): Finding {
    const limitNs = LONGEST_DEFLATION_NS * this.#timeScale;
    const what = `the balloon was empty again within ${seconds(limitNs)} of room for it`;
    if (this.#emptiedNs === undefined || this.#lastTightNs === undefined) {
      return { what, holds: false, detail: `${this.#shrinks.length} steps down, and not empty` };
    }
    const tookNs = this.#emptiedNs - this.#lastTightNs;
    return {
      what,
      holds:
        this.#shrinks.length > 0 && tookNs <= limitNs + TURN_DELAY_NS && this.#actualPages === 0,
      detail: `after ${seconds(tookNs)}, in ${this.#shrinks.length} steps; the guest holds ${this.#actualPages} pages`,
    };
  }

  #orderly(): Finding {
    const end = this.#end;
    return {
      what: 'the guest lived to an orderly end',
      holds: end !== undefined && isOrderly(end),
      detail: end === undefined ? 'no end' : end.kind,
    };
  }
}

function mebi(bytes: Bytes): string {
  return `${(bytes / BYTES_PER_MIB).toFixed(0)} MiB`;
}

function seconds(ns: Nanoseconds): string {
  return `${(ns / NS_PER_S).toFixed(1)} s`;
}
