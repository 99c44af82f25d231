import { BalloonDevice } from '../../src/devices/balloon/balloon-device.js';
import type { BalloonOptions } from '../../src/devices/balloon/balloon-options.js';
import type { BalloonStats } from '../../src/devices/balloon/stats.js';
import { balloonTransport } from '../../src/devices/balloon/transport.js';
import { hasFeature } from '../../src/devices/virtio/features.js';
import { GuestFaults } from '../../src/devices/virtio/guest-faults.js';
import { GuestMemory, type RamPart } from '../../src/devices/virtio/guest-memory.js';
import { InterruptLine } from '../../src/devices/virtio/interrupt.js';
import type { HalOf } from '../../src/hal/contract/define.js';
import type { Mmap } from '../../src/hal/mmap.js';
import { simulatedEventFd } from '../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../src/hal/simulated/memory.js';
import { DriverQueue, MmioDriver } from './driver-model.js';

export const MIB = 1 << 20;
export const PAGE = 4096;
/** RAM from here on lies above the hole. */
export const HIGH = 2 ** 32;
/** Where the low RAM ends and the hole begins. */
export const LOW_END = 20 * MIB;
export const RAM_BYTES = 28 * MIB;

/** Queue n has its rings in the MiB of this number. */
export const RING_BASE = [0x100000, 0x110000, 0x120000, 0x180000, 0x190000] as const;
/** The driver's lists of page frames and statistics. */
export const LIST = 0x130000;

/**
 * RAM in three parts: 16 MiB at 0, next to it 4 MiB of another region, and 8 MiB at 4 GiB, which are behind the first
 * part in its region.
 */
export function makeRam(mmap: HalOf<typeof Mmap>): RamPart[] {
  const first = mmap.createRegion({ name: 'ram', size: 24 * MIB });
  const second = mmap.createRegion({ name: 'more ram', size: 4 * MIB });
  return [
    { address: 0, size: 16 * MIB, region: first, offset: 0 },
    { address: 16 * MIB, size: 4 * MIB, region: second, offset: 0 },
    { address: HIGH, size: 8 * MIB, region: first, offset: 16 * MIB },
  ];
}

export interface CallRecord {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into the arguments of whatever call it was
  readonly args: any;
}

/** The same object, with every call noted; buffers that are passed in are copied. */
function noted(mmap: HalOf<typeof Mmap>, log: CallRecord[]): HalOf<typeof Mmap> {
  return new Proxy(mmap, {
    get: (target, name: keyof HalOf<typeof Mmap>) => (args: never) => {
      const call = target[name] as (args: never) => unknown;
      log.push({ name, args: structuredClone(args) });
      return call(args);
    },
  });
}

export type Machine = ReturnType<typeof makeMachine>;

/** A guest's memory, a balloon behind its registers, and the driver's side of both. */
export function makeMachine(
  options: Partial<BalloonOptions> & { readonly pageSize?: number } = {},
) {
  const handles = new HandleSpace();
  const memory = simulatedMemory({ handles, pageSize: options.pageSize ?? PAGE });
  const mmap = memory.create({});
  const calls: CallRecord[] = [];
  const deviceMmap = noted(mmap, calls);
  const eventFds = simulatedEventFd({ handles });
  const eventFd = eventFds.create({ signalled: () => {} });
  const ram = makeRam(mmap);
  const statusPage = mmap.createRegion({ name: 'interrupt status', size: PAGE });
  const irq = eventFd.create({ name: 'irq' });
  const wiring = { region: statusPage, offset: 8, eventfd: irq };
  const interrupt = new InterruptLine(mmap, eventFd, wiring);
  const faults = new GuestFaults();
  const { features } = options;
  const featureOption = features === undefined ? {} : { features };
  const transport = balloonTransport({ interrupt, faults, ...featureOption });
  const actuals: number[] = [];
  const samples: { request: number; stats: BalloonStats }[] = [];
  const failures: { request: number; reason: string }[] = [];
  const hintings: string[] = [];
  const listener = {
    hintingStarted: (command: number) => {
      hintings.push(`${command} started`);
    },
    hintingEnded: (command: number, end: string) => {
      hintings.push(`${command} ${end}`);
    },
    actualChanged: (pages: number) => {
      actuals.push(pages);
    },
    statsAnswered: (request: number, stats: BalloonStats) => {
      samples.push({ request, stats });
    },
    statsFailed: (request: number, reason: string) => {
      failures.push({ request, reason });
    },
  };
  const newDevice = () =>
    new BalloonDevice({ mmap: deviceMmap, ram, frontend: transport, listener, faults, ...options });
  const device = newDevice();
  transport.connect(device);
  const guest = new GuestMemory(mmap, ram);
  const first = ram[0]?.region ?? 0;
  return {
    mmap,
    ram,
    guest,
    transport,
    device,
    newDevice,
    faults,
    calls,
    actuals,
    samples,
    failures,
    statusWord: () => mmap.loadAcquireU32({ region: statusPage, offset: 8 }),
    interrupts: () => eventFds.take(irq),
    driver: new MmioDriver(transport),
    inflate: new DriverQueue(mmap, first, RING_BASE[0], 128),
    deflate: new DriverQueue(mmap, first, RING_BASE[1], 128),
    stats: new DriverQueue(mmap, first, RING_BASE[2], 128),
    hinting: new DriverQueue(mmap, first, RING_BASE[3], 128),
    reporting: new DriverQueue(mmap, first, RING_BASE[4], 128),
    hintings,
  };
}

/**
 * Brings the driver up as Linux does: optional queues are numbered by what was negotiated, without gaps.
 *
 * @param wantedLow the feature bits that the driver takes if they are offered.
 * @param poison what it writes into `poison_val`, if that is negotiated.
 */
export function bootAsLinux(machine: Machine, wantedLow = 0xffffffff, poison = 0): void {
  const { driver, transport } = machine;
  driver.negotiate(wantedLow);
  driver.setUpQueue(0, machine.inflate.layout);
  driver.setUpQueue(1, machine.deflate.layout);
  let next = 2;
  for (const { feature, queue } of [
    { feature: 1, queue: machine.stats },
    { feature: 3, queue: machine.hinting },
    { feature: 5, queue: machine.reporting },
  ]) {
    if (hasFeature(transport.driverFeatures, feature)) driver.setUpQueue(next++, queue.layout);
  }
  if (hasFeature(transport.driverFeatures, 4)) driver.write32(0x10c, poison);
  driver.writeStatus(0xf);
}

/** Brings the driver up with every feature and queue that is offered. */
export function boot(machine: Machine): void {
  const { driver } = machine;
  driver.negotiate();
  setUpQueues(machine);
  driver.writeStatus(0xf);
}

export function setUpQueues(machine: Machine): void {
  const { driver } = machine;
  driver.setUpQueue(0, machine.inflate.layout);
  driver.setUpQueue(1, machine.deflate.layout);
  if (driver.queueMax(2) > 0) driver.setUpQueue(2, machine.stats.layout);
}

/** Writes a list of page frames and returns the buffer that holds it. */
export function frameList(machine: Machine, frames: readonly number[], address = LIST) {
  machine.guest.writeU32Array(address, Uint32Array.from(frames));
  return { address, length: frames.length * 4 };
}

export function touch(machine: Machine, frame: number): void {
  machine.guest.write(frame * PAGE, new Uint8Array(PAGE).fill(0xaa));
}

export function isZero(machine: Machine, frame: number): boolean {
  const into = new Uint8Array(PAGE);
  machine.guest.read(frame * PAGE, into);
  return into.every((byte) => byte === 0);
}

/** One statistics record. */
export function statsRecord(tag: number, low: number, high = 0): number[] {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag, true);
  view.setUint32(2, low, true);
  view.setUint32(6, high, true);
  return [...bytes];
}
