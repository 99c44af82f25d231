import 'reflect-metadata';
import { ContainerModule, inject, injectable } from 'inversify';
import { toFrameRanges } from '../src/devices/balloon/pfn-ranges.js';
import { Clock } from '../src/hal/clock.js';
import { BALLOON_PAGE_BYTES } from '../src/hal/contract/units.js';
import { Entropy } from '../src/hal/entropy.js';
import { EventFd } from '../src/hal/event-fd.js';
import { HostFiles } from '../src/hal/host-files.js';
import { Mmap } from '../src/hal/mmap.js';
import { ConfigError, type Program } from '../src/program.js';
import { Reactor } from '../src/reactor/reactor.js';

/** What the engine is measured with: balloon kicks, and a timer every eighth turn. */
export interface WorkloadConfig {
  /** Turns after start-up. 100,000 make 1.09 million calls. */
  readonly turns: number;
}

/** One turn in so many is a timer's. */
export const TIMER_EVERY = 8;
export const FRAMES_PER_REQUEST = 256;
export const KICK_EVENTFD = 1;
export const TIMER = 1;
/** Calls of the two kinds of turn. */
const KICK_CALLS = 12;
const TIMER_CALLS = 3;

export function callsOf(turns: number): number {
  const timers = Math.floor(turns / TIMER_EVERY);
  return timers * TIMER_CALLS + (turns - timers) * KICK_CALLS;
}

/** Where the queue lies in the region. */
const RAM = 1;
const STATUS = 2;
const INTERRUPT_EVENTFD = 2;
const QUEUE_MASK = 127;
const DESCRIPTORS = 0x10_0000;
const AVAIL = 0x10_1000;
const USED = 0x10_2000;
const USED_EVENT = AVAIL + 4 + 2 * (QUEUE_MASK + 1);
const NEVER_ZERO_NS = 1;

/**
 * The calls of a balloon's inflate queue, without the checks of the real device: what is measured is the engine below.
 */
@injectable()
export class BalloonWorkload {
  readonly #heads = new Uint16Array(1);
  readonly #usedEvent = new Uint16Array(1);
  readonly #descriptor = new Uint8Array(16);
  readonly #descriptorView = new DataView(this.#descriptor.buffer);
  readonly #frames = new Uint32Array(FRAMES_PER_REQUEST);
  readonly #frameRanges = new Float64Array(FRAMES_PER_REQUEST * 2);
  readonly #byteRanges = new Float64Array(FRAMES_PER_REQUEST * 2);
  readonly #used = new Uint32Array(2);
  #next = 0;
  #left: number;

  constructor(
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Clock) private readonly clock: Clock,
    @inject(Entropy) private readonly entropy: Entropy,
    @inject(HostFiles) private readonly hostFiles: HostFiles,
    @inject(Reactor) private readonly reactor: Reactor,
    @inject('workload config') config: WorkloadConfig,
  ) {
    this.#left = config.turns;
  }

  start(): void {
    this.reactor.on(EventFd, 'signalled', KICK_EVENTFD, () => {
      this.kick();
      this.count();
    });
    this.reactor.on(Clock, 'expired', TIMER, () => {
      this.look();
      this.count();
    });
  }

  private count(): void {
    this.#left--;
    if (this.#left === 0) this.reactor.stop();
  }

  private kick(): void {
    const { mmap } = this;
    mmap.loadAcquireU16({ region: RAM, offset: AVAIL + 2 });
    const slot = this.#next & QUEUE_MASK;
    mmap.readU16Array({ region: RAM, offset: AVAIL + 4 + slot * 2, into: this.#heads });
    const head = this.#heads[0] as number;
    mmap.read({ region: RAM, offset: DESCRIPTORS + head * 16, into: this.#descriptor });
    const address = this.#descriptorView.getUint32(0, true);
    mmap.readU32Array({ region: RAM, offset: address, into: this.#frames });
    mmap.discard({ region: RAM, ranges: this.ranges() });
    this.#used[0] = head;
    this.#next = (this.#next + 1) & 0xffff;
    mmap.writeU32Array({ region: RAM, offset: USED + 4 + slot * 8, data: this.#used });
    mmap.storeReleaseU16({ region: RAM, offset: USED + 2, value: this.#next });
    mmap.loadAcquireU16({ region: RAM, offset: AVAIL });
    mmap.readU16Array({ region: RAM, offset: USED_EVENT, into: this.#usedEvent });
    mmap.orU32({ region: STATUS, offset: 8, mask: 1 });
    this.eventFd.signal({ eventfd: INTERRUPT_EVENTFD });
    mmap.loadAcquireU16({ region: RAM, offset: AVAIL + 2 });
  }

  private ranges(): Float64Array {
    const count = toFrameRanges(this.#frames, this.#frameRanges) * 2;
    for (let index = 0; index < count; index++) {
      this.#byteRanges[index] = (this.#frameRanges[index] as number) * BALLOON_PAGE_BYTES;
    }
    return this.#byteRanges.subarray(0, count);
  }

  private look(): void {
    this.hostFiles.read({ path: '/sys/kernel/mm/chromeos-low_mem/available', maxBytes: 64 });
    const jitter = this.entropy.uniform({ below: 1_000_000 });
    this.clock.arm({ timer: TIMER, first: NEVER_ZERO_NS + jitter, period: 0 });
  }
}

export const workload: Program<WorkloadConfig> = {
  package: 'bench/workload',
  export: 'workload',
  version: 1,
  contracts: [Mmap, EventFd, Clock, Entropy, HostFiles],
  lanes: {
    main: {
      root: BalloonWorkload,
      modules: (config) => [
        new ContainerModule(({ bind }) => {
          bind(BalloonWorkload).toSelf();
          bind('workload config').toConstantValue(config);
        }),
      ],
    },
  },
  parseConfig: (json) => {
    const turns = (json as Partial<WorkloadConfig> | null)?.turns;
    if (typeof turns !== 'number' || !Number.isInteger(turns) || turns < 1) {
      throw new ConfigError(`turns must be a whole number from 1, got ${String(turns)}`);
    }
    return { turns };
  },
};
