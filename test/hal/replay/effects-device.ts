import type { HalOf } from '../../../src/hal/contract/define.js';
import { implement } from '../../../src/hal/contract/implementation.js';
import { EventFd } from '../../../src/hal/event-fd.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { EffectsMatcher } from '../../../src/hal/replay/effects-matcher.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { divergenceOf, type Hal, recording, replaying, type TestProgram } from '../harness.js';

const CONTRACTS = [Mmap, EventFd];
export const PAGE = 4096;
export const REGION = 1;
export const IRQ = 2;
export const FRAMES = 0x100;
export const USED_RING = 0x400;
export const USED_INDEX = 0x500;
export const AVAIL_INDEX = 0x600;

function device({ get }: Hal) {
  const mmap = get(Mmap);
  const eventFd = get(EventFd);
  return {
    mmap,
    setUp: () => {
      mmap.createRegion({ name: 'ram', size: 64 * PAGE });
      eventFd.create({ name: 'irq' });
      mmap.writeU32Array({
        region: REGION,
        offset: FRAMES,
        data: Uint32Array.from([8, 9, 10, 20]),
      });
      mmap.storeReleaseU16({ region: REGION, offset: AVAIL_INDEX, value: 1 });
    },
    avail: () => mmap.loadAcquireU16({ region: REGION, offset: AVAIL_INDEX }),
    frames: (first: number, count: number) => {
      const into = new Uint32Array(count);
      mmap.readU32Array({ region: REGION, offset: FRAMES + first * 4, into });
      return [...into];
    },
    bytes: (offset: number, length: number) => {
      const into = new Uint8Array(length);
      mmap.read({ region: REGION, offset, into });
      return [...into];
    },
    write: (offset: number, ...data: number[]) =>
      mmap.write({ region: REGION, offset, data: Uint8Array.from(data) }),
    discard: (...pages: [first: number, count: number][]) =>
      mmap.discard({ region: REGION, ranges: Float64Array.from(pages.flat(), (n) => n * PAGE) }),
    used: (value: number) => mmap.storeReleaseU16({ region: REGION, offset: USED_INDEX, value }),
    signal: () => eventFd.signal({ eventfd: IRQ }),
  };
}

export type Device = ReturnType<typeof device>;

/** What the device does in the one turn that counts: turn 0 is start-up. */
function inTurn(body: (device: Device) => void): TestProgram {
  return (hal) => {
    const it = device(hal);
    it.setUp();
    hal.reactor.on(EventFd, 'signalled', undefined, () => body(it));
  };
}

type Memory = HalOf<typeof Mmap>;

/** Records one kick. `change` makes of the memory what the case needs: a guest that writes meanwhile, a call that fails. */
export function record(
  body: (device: Device) => void,
  change: (memory: Memory) => Partial<Memory> = () => ({}),
) {
  const handles = new HandleSpace();
  const memory = simulatedMemory({ handles });
  const changed = implement(Mmap, (emit) => {
    const inner = memory.create(emit);
    return { ...inner, ...change(inner) };
  });
  const run = recording(CONTRACTS, [changed, simulatedEventFd({ handles })]);
  run.start(inTurn(body));
  run.emit(EventFd).signalled({ eventfd: IRQ, count: 1 });
  if (run.ends[0] !== undefined) throw run.ends[0].failure;
  return run.buffer;
}

type Buffer = ReturnType<typeof record>;

export function replay(buffer: Buffer, body: (device: Device) => void) {
  return replaying(CONTRACTS, buffer, inTurn(body), (schema) => new EffectsMatcher(schema, 'main'));
}

/** One kick of a balloon: the reference that the others are variations of. */
export function kick(it: Device): void {
  it.avail();
  const frames = it.frames(0, 4);
  it.discard([8, 3]);
  it.discard([frames[3] ?? 0, 1]);
  it.write(USED_RING, 1, 0, 0, 0);
  it.write(USED_RING + 4, 0, 2, 0, 0);
  it.used(1);
  it.signal();
}

export const KICK = record(kick);

/** The kick with its middle, between the acquire load and the release store, done otherwise. */
export const middle = (body: (it: Device) => void) => (it: Device) => {
  it.avail();
  body(it);
  it.used(1);
  it.signal();
};

export const writes = (it: Device) => it.write(USED_RING, 1, 0, 0, 0, 0, 2, 0, 0);

/** How the replay of the kick diverges. */
export const report = (body: (it: Device) => void, buffer = KICK) =>
  divergenceOf(() => replay(buffer, body)).report;
