import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BalloonDevice } from '../src/devices/balloon/balloon-device.js';
import { INFLATE_QUEUE, QUEUE_SIZE } from '../src/devices/balloon/constants.js';
import { balloonTransport } from '../src/devices/balloon/transport.js';
import { InterruptLine } from '../src/devices/virtio/interrupt.js';
import type { AnyImplementation } from '../src/hal/bind.js';
import { BALLOON_PAGE_BYTES, BYTES_PER_MIB } from '../src/hal/contract/units.js';
import { alternate, median } from './measure.js';
import { type NativeHal, nativeHal } from './native-hal.js';
import { Random } from './random.js';
import { FRAMES_PER_REQUEST } from './workload.js';

export interface ReclaimFigures {
  readonly reclaimRatioAscending: number;
  readonly reclaimRatioShuffled: number;
  readonly reclaimAscendingMs: number;
  readonly reclaimShuffledMs: number;
  readonly madviseCallsAscending: number;
  readonly madviseCallsShuffled: number;
  readonly madviseCallsAscendingOfC: number;
  readonly madviseCallsShuffledOfC: number;
}

interface Reclaimed {
  readonly ms: number;
  readonly madviseCalls: number;
}

const ROUNDS = 5;
const SEED = 0x6261_6c6c;
const PAGES = (1024 * BYTES_PER_MIB) / BALLOON_PAGE_BYTES;
const REQUEST_BYTES = FRAMES_PER_REQUEST * 4;
/** The driver's own memory lies below what it gives away. */
const DRIVER_BYTES = 16 * BYTES_PER_MIB;
const FIRST_FRAME = DRIVER_BYTES / BALLOON_PAGE_BYTES;
const DESCRIPTORS = 0x1000;
const AVAIL = 0x2000;
const USED = 0x3000;
const LISTS = 0x10_0000;
const TOUCH_BYTES = BYTES_PER_MIB;

const SOURCE = fileURLToPath(new URL('../../bench/native/discard-loop.c', import.meta.url));

function ascendingFrames(): Uint32Array {
  return Uint32Array.from({ length: PAGES }, (_, page) => page);
}

function shuffledFrames(): Uint32Array {
  const frames = ascendingFrames();
  const random = new Random(SEED);
  for (let last = PAGES - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const frame = frames[last] as number;
    frames[last] = frames[other] as number;
    frames[other] = frame;
  }
  return frames;
}

/** Builds the C loop. @returns the program's path. */
export function buildDiscardLoop(directory: string): string {
  const program = join(directory, 'discard-loop');
  execFileSync(process.env['CC'] ?? 'cc', ['-O2', '-o', program, SOURCE]);
  return program;
}

function reclaimInC(program: string, frames: Uint32Array): Reclaimed {
  const args = [String(PAGES), String(FRAMES_PER_REQUEST)];
  const input = new Uint8Array(frames.buffer);
  const [ns, calls] = execFileSync(program, args, { input, encoding: 'utf8' }).split(' ');
  return { ms: Number(ns) / 1e6, madviseCalls: Number(calls) };
}

/** The driver's part, done beforehand: every list of page frames, and descriptors that point to them. */
function prepare({ mmap }: NativeHal, driver: number, frames: Uint32Array): void {
  const shifted = frames.map((frame) => frame + FIRST_FRAME);
  mmap.writeU32Array({ region: driver, offset: LISTS, data: shifted });
}

function offer({ mmap }: NativeHal, driver: number, firstRequest: number): void {
  const descriptors = new Uint32Array(QUEUE_SIZE * 4);
  for (let slot = 0; slot < QUEUE_SIZE; slot++) {
    descriptors[slot * 4] = LISTS + (firstRequest + slot) * REQUEST_BYTES;
    descriptors[slot * 4 + 2] = REQUEST_BYTES;
  }
  mmap.writeU32Array({ region: driver, offset: DESCRIPTORS, data: descriptors });
}

function reclaimByDevice(hal: NativeHal, frames: Uint32Array): Reclaimed {
  const { mmap, eventFd } = hal;
  const driver = mmap.createRegion({ name: 'driver', size: DRIVER_BYTES });
  const region = mmap.createRegion({ name: 'ram', size: PAGES * BALLOON_PAGE_BYTES });
  const irq = eventFd.create({ name: 'irq' });
  const touch = new Uint8Array(TOUCH_BYTES).fill(1);
  for (let offset = 0; offset < PAGES * BALLOON_PAGE_BYTES; offset += TOUCH_BYTES) {
    mmap.write({ region, offset, data: touch });
  }
  const interrupt = new InterruptLine(mmap, eventFd, { region: driver, offset: 0, eventfd: irq });
  const features = { statsQueue: false };
  const frontend = balloonTransport({ interrupt, features });
  const ram = [
    { address: 0, size: DRIVER_BYTES, region: driver, offset: 0 },
    { address: DRIVER_BYTES, size: PAGES * BALLOON_PAGE_BYTES, region, offset: 0 },
  ];
  const device = new BalloonDevice({ mmap, ram, frontend, features });
  const layout = { size: QUEUE_SIZE, descriptors: DESCRIPTORS, avail: AVAIL, used: USED };
  const deflate = { ...layout, descriptors: 0x4000, avail: 0x5000, used: 0x6000 };
  const refusal = device.activate({
    features: device.offeredFeatures,
    queues: [
      { index: INFLATE_QUEUE, nextAvail: 0, ...layout },
      { index: 1, nextAvail: 0, ...deflate },
    ],
    config: frontend.config,
  });
  if (refusal !== undefined) throw new Error(`the balloon refuses: ${refusal.reason}`);
  prepare(hal, driver, frames);
  const ring = new Uint8Array(Uint16Array.from({ length: QUEUE_SIZE }, (_, slot) => slot).buffer);
  mmap.write({ region: driver, offset: AVAIL + 4, data: ring });
  let ms = 0;
  for (let request = 0; request < PAGES / FRAMES_PER_REQUEST; request += QUEUE_SIZE) {
    offer(hal, driver, request);
    const started = performance.now();
    for (let kick = 1; kick <= QUEUE_SIZE; kick++) {
      mmap.storeReleaseU16({ region: driver, offset: AVAIL + 2, value: request + kick });
      device.kick(INFLATE_QUEUE);
    }
    ms += performance.now() - started;
  }
  const { inflatedPages, discardRanges, discardFailures } = device.metrics;
  const left = mmap.residency({ region });
  if (inflatedPages !== PAGES || discardFailures !== 0 || left !== 0) {
    throw new Error(`${inflatedPages} pages given back, ${discardFailures} failures, ${left} left`);
  }
  mmap.closeRegion({ region: driver });
  mmap.closeRegion({ region });
  eventFd.close({ eventfd: irq });
  return { ms, madviseCalls: discardRanges };
}

function compare(program: string, hal: NativeHal, frames: Uint32Array) {
  const { first, second } = alternate(
    ROUNDS,
    () => reclaimInC(program, frames),
    () => reclaimByDevice(hal, frames),
  );
  const ofC = median(first.map(({ ms }) => ms));
  const ofDevice = median(second.map(({ ms }) => ms));
  return {
    ratio: ofDevice / ofC,
    ms: ofDevice,
    calls: second[0]?.madviseCalls ?? 0,
    callsOfC: first[0]?.madviseCalls ?? 0,
  };
}

/** 1 GiB of touched memory given back through device and HAL, against a C loop. */
export function reclaimFigures(
  directory: string,
  implementations: readonly AnyImplementation[],
): ReclaimFigures {
  const program = buildDiscardLoop(directory);
  const hal = nativeHal(implementations);
  const ascending = compare(program, hal, ascendingFrames());
  const shuffled = compare(program, hal, shuffledFrames());
  return {
    reclaimRatioAscending: ascending.ratio,
    reclaimRatioShuffled: shuffled.ratio,
    reclaimAscendingMs: ascending.ms,
    reclaimShuffledMs: shuffled.ms,
    madviseCallsAscending: ascending.calls,
    madviseCallsShuffled: shuffled.calls,
    madviseCallsAscendingOfC: ascending.callsOfC,
    madviseCallsShuffledOfC: shuffled.callsOfC,
  };
}
