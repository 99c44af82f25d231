import type { AnyImplementation } from '../src/hal/bind.js';
import { Clock } from '../src/hal/clock.js';
import { type Emitter, implement } from '../src/hal/contract/implementation.js';
import { Entropy } from '../src/hal/entropy.js';
import { EventFd } from '../src/hal/event-fd.js';
import { HostFiles } from '../src/hal/host-files.js';
import { Mmap } from '../src/hal/mmap.js';
import { Random } from './random.js';
import { KICK_EVENTFD, TIMER, TIMER_EVERY } from './workload.js';

const SEED = 0x20_18_10_15;
/** Runs of neighbouring page frames in a request, and the holes between them. */
const SHORTEST_RUN = 3;
const LONGEST_RUN = 40;
const WIDEST_HOLE = 512;
/** 4 GiB of RAM; a request starts anywhere in it. */
const RAM_FRAMES = 1 << 20;
const LIST_ADDRESS = 0x20_0000;
const LIST_STRIDE = 1024;
const LISTS = 128;
const SHORTEST_TURN_NS = 20_000;
const TURN_SPREAD_NS = 200_000;

const UNUSED = (): never => {
  throw new Error('the workload does not make this call');
};

export interface WorkloadHardware {
  readonly implementations: readonly AnyImplementation[];
  /** Monotonic, in nanoseconds: one step of it for each turn. */
  readonly clockNs: () => number;
  /** Brings the next event. */
  readonly speak: () => void;
}

/** What the guest and the host of the workload would do, seeded and as cheap as it can be: it is in no one's favour. */
export function workloadHardware(): WorkloadHardware {
  const random = new Random(SEED);
  const emitters: { eventFd?: Emitter<typeof EventFd>; clock?: Emitter<typeof Clock> } = {};
  let timeNs = 1_000_000_000_000;
  let turn = 0;
  // The addon validates its arguments; a fake that says so keeps checks out of the bare run.
  const options = { validates: true };
  return {
    implementations: [
      implement(Mmap, () => memory(random), options),
      implement(
        EventFd,
        (emit) => {
          emitters.eventFd = emit;
          return {
            signal: () => {},
            create: UNUSED,
            adopt: UNUSED,
            watch: UNUSED,
            close: UNUSED,
          };
        },
        options,
      ),
      implement(
        Clock,
        (emit) => {
          emitters.clock = emit;
          return {
            arm: () => {},
            now: UNUSED,
            createTimer: UNUSED,
            disarm: UNUSED,
            closeTimer: UNUSED,
          };
        },
        options,
      ),
      implement(
        Entropy,
        () => ({ uniform: ({ below }) => random.below(below), fill: UNUSED }),
        options,
      ),
      implement(HostFiles, () => ({ read: () => availableFile(random) }), options),
    ],
    clockNs: () => {
      timeNs += SHORTEST_TURN_NS + random.below(TURN_SPREAD_NS);
      return timeNs;
    },
    speak: () => {
      turn++;
      if (turn % TIMER_EVERY === 0) emitters.clock?.expired({ timer: TIMER, count: 1 });
      else emitters.eventFd?.signalled({ eventfd: KICK_EVENTFD, count: 1 });
    },
  };
}

/** A figure in MiB, as the file of the low-memory driver has it. */
function availableFile(random: Random): Uint8Array {
  const digits = new Uint8Array(5);
  let rest = random.between(1000, 9999);
  for (let index = 3; index >= 0; index--) {
    digits[index] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  digits[4] = 0x0a;
  return digits;
}

function memory(random: Random): ReturnType<ReturnType<typeof implement<typeof Mmap>>['create']> {
  let index = 0;
  let loads = 0;
  const descriptor = new Uint8Array(16);
  const view = new DataView(descriptor.buffer);
  view.setUint32(8, LIST_STRIDE, true);
  return {
    loadAcquireU16: () => {
      // The index before a request, the flags, and the index once more after it.
      loads++;
      if (loads === 1) index = (index + 1) & 0xffff;
      else if (loads === 2) return 0;
      else loads = 0;
      return index;
    },
    readU16Array: ({ into }) => {
      into[0] = (index - 1) & (LISTS - 1);
    },
    read: ({ into }) => {
      view.setUint32(0, LIST_ADDRESS + ((index - 1) & (LISTS - 1)) * LIST_STRIDE, true);
      into.set(descriptor);
    },
    readU32Array: ({ into }) => fillWithRuns(into, random),
    discard: () => {},
    writeU32Array: () => {},
    storeReleaseU16: () => {},
    orU32: () => 0,
    createRegion: UNUSED,
    adoptRegion: UNUSED,
    closeRegion: UNUSED,
    write: UNUSED,
    loadAcquireU32: UNUSED,
    andU32: UNUSED,
    load: UNUSED,
    residency: UNUSED,
    describe: UNUSED,
    loadRange: UNUSED,
  };
}

/** Ascending page frames, as a guest's allocator gives them: runs with holes between them. */
function fillWithRuns(into: Uint32Array, random: Random): void {
  const { length } = into;
  let frame = random.below(RAM_FRAMES);
  let written = 0;
  while (written < length) {
    const end = Math.min(length, written + random.between(SHORTEST_RUN, LONGEST_RUN));
    while (written < end) into[written++] = frame++;
    frame += random.between(1, WIDEST_HOLE);
  }
}
