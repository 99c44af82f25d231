import type { MiB, Nanoseconds } from '../../src/hal/contract/units.js';
import type { BalloonVmObserver } from '../../src/programs/balloon-vm.js';

/** What one VM's policy saw of the host. Times are of the host's clock, which both VMs share. */
export interface Timeline {
  readonly samples: readonly { readonly timeNs: Nanoseconds; readonly availableMiB: MiB }[];
  /** When its guest had written its file; undefined if it never had. */
  readonly writtenNs: Nanoseconds | undefined;
}

/** Collects it from a run or a replay. */
export class TimelineWatch implements BalloonVmObserver {
  readonly #samples: { timeNs: Nanoseconds; availableMiB: MiB }[] = [];
  #writtenNs: Nanoseconds | undefined;

  sample({ timeNs, availableMiB }: Parameters<NonNullable<BalloonVmObserver['sample']>>[0]): void {
    if (availableMiB !== undefined) this.#samples.push({ timeNs, availableMiB });
  }

  noted({ name }: Parameters<NonNullable<BalloonVmObserver['noted']>>[0]): void {
    // Half a second is the time between two samples.
    if (name === 'written') this.#writtenNs = this.#samples.at(-1)?.timeNs;
  }

  get timeline(): Timeline {
    return { samples: this.#samples, writtenNs: this.#writtenNs };
  }
}

/** The host's available memory under pressure: from when it was first under the margin until the first guest had written. */
export interface Pressure {
  /** Samples in it; 0 if memory was never short in time. */
  readonly samples: number;
  readonly lowestMiB: MiB;
  /** The highest after the lowest. */
  readonly recoveredMiB: MiB;
  /** The highest of all. */
  readonly highestMiB: MiB;
}

/** What both VMs' policies saw, as one. */
export function pressureOf(timelines: readonly Timeline[], marginMiB: MiB): Pressure {
  const endNs = Math.min(
    ...timelines.map(({ writtenNs }) => writtenNs ?? Number.POSITIVE_INFINITY),
  );
  const all = timelines
    .flatMap(({ samples }) => samples)
    .filter(({ timeNs }) => timeNs <= endNs)
    .sort((one, other) => one.timeNs - other.timeNs)
    .map(({ availableMiB }) => availableMiB);
  const first = all.findIndex((availableMiB) => availableMiB < marginMiB);
  const under = first < 0 ? [] : all.slice(first);
  const lowestMiB = Math.min(...under);
  return {
    samples: under.length,
    lowestMiB,
    recoveredMiB: Math.max(...under.slice(under.indexOf(lowestMiB))),
    highestMiB: Math.max(...under),
  };
}
