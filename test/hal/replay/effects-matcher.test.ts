import test from 'ava';
import { EventFd } from '../../../src/hal/event-fd.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { EffectsMatcher } from '../../../src/hal/replay/effects-matcher.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { divergenceOf, type Hal, recording, replaying, type TestProgram } from '../harness.js';

const CONTRACTS = [Mmap, EventFd];
const PAGE = 4096;
const REGION = 1;
const IRQ = 2;
const FRAMES = 0x100;
const USED_RING = 0x400;
const USED_INDEX = 0x500;
const AVAIL_INDEX = 0x600;

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

type Device = ReturnType<typeof device>;

/** What the device does in the one turn that counts: turn 0 is start-up. */
function inTurn(body: (device: Device) => void): TestProgram {
  return (hal) => {
    const it = device(hal);
    it.setUp();
    hal.reactor.on(EventFd, 'signalled', undefined, () => body(it));
  };
}

function record(body: (device: Device) => void) {
  const handles = new HandleSpace();
  const run = recording(CONTRACTS, [simulatedMemory({ handles }), simulatedEventFd({ handles })]);
  run.start(inTurn(body));
  run.emit(EventFd).signalled({ eventfd: IRQ, count: 1 });
  if (run.ends[0] !== undefined) throw run.ends[0].failure;
  return run.buffer;
}

type Buffer = ReturnType<typeof record>;

function replay(buffer: Buffer, body: (device: Device) => void) {
  return replaying(CONTRACTS, buffer, inTurn(body), (schema) => new EffectsMatcher(schema, 'main'));
}

/** One kick of a balloon: the reference that the others are variations of. */
function kick(it: Device): void {
  it.avail();
  const frames = it.frames(0, 4);
  it.discard([8, 3]);
  it.discard([frames[3] ?? 0, 1]);
  it.write(USED_RING, 1, 0, 0, 0);
  it.write(USED_RING + 4, 0, 2, 0, 0);
  it.used(1);
  it.signal();
}

const KICK = record(kick);

/** The kick with its middle, between the acquire load and the release store, done otherwise. */
const middle = (body: (it: Device) => void) => (it: Device) => {
  it.avail();
  body(it);
  it.used(1);
  it.signal();
};

const writes = (it: Device) => it.write(USED_RING, 1, 0, 0, 0, 0, 2, 0, 0);

const REFACTORS: Record<string, (it: Device) => void> = {
  'nothing changed': kick,
  'discards coalesced into one call': middle((it) => {
    it.frames(0, 4);
    it.discard([8, 3], [20, 1]);
    writes(it);
  }),
  'discards split, in another order, one page twice': middle((it) => {
    it.frames(0, 4);
    for (const page of [20, 10, 9, 8, 9]) it.discard([page, 1]);
    writes(it);
  }),
  'reads split': middle((it) => {
    const frames = [0, 1, 2, 3].flatMap((index) => it.frames(index, 1));
    if (frames.join() !== '8,9,10,20') throw new Error(`other frames: ${frames.join()}`);
    it.discard([8, 3], [20, 1]);
    writes(it);
  }),
  'fewer bytes read, as bytes': middle((it) => {
    const first = it.bytes(FRAMES + 4, 4);
    if (first.join() !== '9,0,0,0') throw new Error(`other bytes: ${first.join()}`);
    it.discard([8, 3], [20, 1]);
    writes(it);
  }),
  'no reads at all': middle((it) => {
    it.discard([8, 3], [20, 1]);
    writes(it);
  }),
  'writes before discards, split and in another order': middle((it) => {
    it.write(USED_RING + 4, 0, 9);
    it.write(USED_RING + 5, 2, 0, 0);
    it.write(USED_RING, 1, 0, 0, 0);
    it.discard([8, 3], [20, 1]);
  }),
  'own writes and discarded pages read back': middle((it) => {
    it.discard([8, 3], [20, 1]);
    writes(it);
    const own = [...it.bytes(USED_RING + 3, 4), ...it.bytes(8 * PAGE, 2)];
    if (own.join() !== '0,0,2,0,0,0') throw new Error(`not what was written: ${own.join()}`);
  }),
};

for (const [name, body] of Object.entries(REFACTORS)) {
  test(`a refactor passes: ${name}`, (t) => {
    const { end } = replay(KICK, body);
    t.is(end.failure, undefined);
    t.is(end.turns, 2);
  });
}

test('a device that reads in one call what was recorded in several passes', (t) => {
  const buffer = record(
    middle((it) => {
      for (const index of [2, 0, 3, 1]) it.frames(index, 1);
    }),
  );
  let seen: number[] = [];
  replay(
    buffer,
    middle((it) => {
      seen = it.frames(0, 4);
    }),
  );
  t.deepEqual(seen, [8, 9, 10, 20]);
});

const report = (body: (it: Device) => void, buffer = KICK) =>
  divergenceOf(() => replay(buffer, body)).report;

test('a discard moved behind the release store of used.idx is caught at the store', (t) => {
  const found = report((it) => {
    it.avail();
    it.frames(0, 4);
    it.discard([8, 3]);
    writes(it);
    it.used(1);
    it.discard([20, 1]);
    it.signal();
  });
  t.like(found, { kind: 'different-effect', turn: 1, call: 3 });
  t.is(
    found.summary,
    'region 1, before mmap.storeReleaseU16 (call 6): 0x14000+0x1000 (frame 0x14) not released',
  );
  t.regex(String(found.expected), /mmap.discard\(region: 1, ranges: \[0x14000 4096\]\)/);
  t.true(found.stack.length > 0);
});

test('a discard moved before a fence is caught at the discard, and found behind it', (t) => {
  const buffer = record((it) => {
    it.discard([8, 1]);
    it.used(1);
    it.discard([9, 1]);
    it.signal();
  });
  const found = report((it) => {
    it.discard([8, 2]);
    it.used(1);
    it.signal();
  }, buffer);
  t.like(found, { kind: 'different-effect', turn: 1, call: 1 });
  t.deepEqual(found.differences, [
    { field: 'region 1 0x9000+0x1000 (frame 0x9)', expected: 'not released', actual: 'released' },
  ]);
  t.like(found.nearestLater, { call: 2 });
  t.regex(String(found.nearestLater?.hint), /behind mmap.storeReleaseU16/);
});

test('a dropped page frame, a shifted one, and one too many', (t) => {
  const dropped = report(
    middle((it) => {
      it.discard([8, 2], [20, 1]);
      writes(it);
    }),
  );
  t.like(dropped, { kind: 'different-effect', call: 2 });
  t.regex(dropped.summary, /0xa000\+0x1000 \(frame 0xa\) not released/);
  const shifted = report(
    middle((it) => {
      it.discard([9, 3]);
    }),
  );
  t.like(shifted, { kind: 'different-effect' });
  t.regex(shifted.summary, /mmap.discard: 0xb000\+0x1000 \(frame 0xb\) of region 1 is released/);
  t.regex(shifted.stack.join('\n'), /effects-matcher.test/);
});

test('wrong bytes, missing bytes, bytes that were not to be written', (t) => {
  const change = (body: (it: Device) => void) =>
    report(
      middle((it) => {
        it.discard([8, 3], [20, 1]);
        body(it);
      }),
    );
  const wrong = change((it) => it.write(USED_RING, 1, 0, 0, 0, 0, 3, 0, 0));
  t.like(wrong, { kind: 'different-effect', call: 5 });
  t.deepEqual(wrong.differences, [
    { field: 'region 1 0x405+0x1', expected: '<02>', actual: '<03>' },
  ]);
  const missing = change((it) => it.write(USED_RING, 1, 0, 0, 0));
  t.like(missing, { kind: 'different-effect', call: 5 });
  t.deepEqual(missing.differences, [
    { field: 'region 1 0x404+0x4', expected: '<00020000>', actual: 'not written' },
  ]);
  const extra = change((it) => it.write(USED_RING, 1, 0, 0, 0, 0, 2, 0, 0, 7));
  t.like(extra, { kind: 'different-effect', call: 6 });
  t.deepEqual(extra.differences, [
    { field: 'region 1 0x408+0x1', expected: 'not written', actual: 'written' },
  ]);
});

test('a page that is given up only after it was written is another outcome', (t) => {
  const buffer = record((it) => {
    it.discard([8, 1]);
    it.write(8 * PAGE, 5);
    it.signal();
  });
  const found = report((it) => {
    it.write(8 * PAGE, 5);
    it.discard([8, 1]);
    it.signal();
  }, buffer);
  t.like(found, { kind: 'different-effect', call: 1 });
  t.is(found.differences[0]?.field, 'region 1 0x8000+0x1');
});

test('reading bytes that were never recorded says which', (t) => {
  const found = report(middle((it) => it.frames(3, 2)));
  t.like(found, { kind: 'unrecorded-bytes', turn: 1, call: 6, nearestLater: undefined });
  t.regex(found.summary, /mmap.readU32Array reads 0x110\+0x4 of region 1/);
  t.deepEqual(found.differences, [
    { field: 'bytes of region 1', expected: '0x100+0x10', actual: '0x10c+0x8' },
  ]);
});

test('a read moved across a fence is unrecorded there, with where it is recorded', (t) => {
  const found = report((it) => {
    it.avail();
    it.discard([8, 3], [20, 1]);
    writes(it);
    it.used(1);
    it.frames(0, 4);
  });
  t.like(found, { kind: 'unrecorded-bytes', call: 7 });
  t.like(found.nearestLater, { call: 1 });
  t.regex(String(found.nearestLater?.hint), /recorded earlier/);
});

test('bytes recorded only after the program had written them are not known before', (t) => {
  const buffer = record((it) => {
    it.write(0x800, 1, 2);
    it.bytes(0x800, 2);
    it.signal();
  });
  t.is(report((it) => it.bytes(0x800, 2), buffer).kind, 'unrecorded-bytes');
});

test('an extra interrupt, another fence, a fence with other arguments, a fence left out', (t) => {
  const extra = report((it) => {
    kick(it);
    it.signal();
  });
  t.like(extra, { kind: 'extra-call', turn: 1, call: 8, leftover: 0 });
  const early = report((it) => {
    it.avail();
    it.signal();
  });
  t.like(early, {
    kind: 'different-call',
    call: 6,
    expected: 'mmap.storeReleaseU16(region: 1, offset: 1280, value: 1)',
  });
  t.like(early.nearestLater, { call: 7 });
  const other = report(
    middle((it) => {
      it.discard([8, 3], [20, 1]);
      writes(it);
      it.used(2);
    }),
  );
  t.like(other, { kind: 'different-argument', call: 6 });
  t.deepEqual(other.differences, [{ field: 'value', expected: '1', actual: '2' }]);
  const left = report((it) => {
    it.avail();
    it.discard([8, 3], [20, 1]);
    writes(it);
    it.used(1);
  });
  t.like(left, {
    kind: 'missing-call',
    call: 7,
    leftover: 1,
    expected: 'event-fd.signal(eventfd: 2)',
  });
});

test('acquire loads keep their order: another one, one too many, one left out', (t) => {
  const other = (it: Device) => it.mmap.loadAcquireU16({ region: REGION, offset: USED_INDEX });
  const buffer = record((it) => {
    it.avail();
    other(it);
    it.signal();
  });
  const swapped = report((it) => {
    other(it);
    it.avail();
    it.signal();
  }, buffer);
  t.like(swapped, { kind: 'different-argument', call: 0 });
  t.deepEqual(swapped.differences, [{ field: 'offset', expected: '1536', actual: '1280' }]);
  t.is(swapped.nearestLater?.call, 1);
  const extra = report((it) => {
    it.avail();
    other(it);
    it.avail();
  }, buffer);
  t.like(extra, { kind: 'extra-call', call: 2 });
  const left = report((it) => {
    it.avail();
    it.signal();
  }, buffer);
  t.like(left, { kind: 'missing-call', call: 1 });
  const wide = report((it) => {
    it.mmap.loadAcquireU32({ region: REGION, offset: AVAIL_INDEX });
  }, buffer);
  t.like(wide, { kind: 'different-call', call: 0 });
});

test('bytes that changed between acquire loads are served by their epoch', (t) => {
  const handles = new HandleSpace();
  const memory = simulatedMemory({ handles });
  const run = recording(CONTRACTS, [
    {
      ...memory,
      create: (emit) => {
        const mmap = memory.create(emit as never);
        let value = 0;
        // A guest that moves on: what lies at 0x700 grows with every acquire load.
        const grow = () =>
          mmap.write({ region: REGION, offset: 0x700, data: Uint8Array.of(++value) });
        return {
          ...mmap,
          loadAcquireU16: (args) => {
            grow();
            return mmap.loadAcquireU16(args);
          },
        } as typeof mmap;
      },
    },
    simulatedEventFd({ handles }),
  ]);
  const body =
    (seen: number[][], both: boolean) =>
    (it: Device): void => {
      it.avail();
      if (both) seen.push(it.bytes(0x700, 1));
      seen.push(it.bytes(0x700, 1));
      it.avail();
      seen.push(it.bytes(0x700, 1));
      it.avail();
      if (both) seen.push(it.bytes(0x700, 1));
      it.signal();
    };
  const recorded: number[][] = [];
  run.start(inTurn(body(recorded, false)));
  run.emit(EventFd).signalled({ eventfd: IRQ, count: 1 });
  t.deepEqual(recorded, [[1], [2]]);
  const replayed: number[][] = [];
  replay(run.buffer, body(replayed, true));
  t.deepEqual(replayed, [[1], [1], [2], [2]], 'after the third load the latest that is known');
  const early: number[][] = [];
  replay(run.buffer, (it) => {
    early.push(it.bytes(0x700, 1));
    for (let count = 0; count < 3; count++) it.avail();
    it.signal();
  });
  t.deepEqual(early, [[1]], 'before the first load the earliest that is known');
});

test('what someone else changed behind an own write is served as it was read', (t) => {
  const handles = new HandleSpace();
  const memory = simulatedMemory({ handles });
  const run = recording(CONTRACTS, [
    {
      ...memory,
      create: (emit) => {
        const mmap = memory.create(emit as never);
        return {
          ...mmap,
          read: (args) => {
            mmap.write({ region: REGION, offset: 0x701, data: Uint8Array.of(99) });
            mmap.read(args);
          },
        } as typeof mmap;
      },
    },
    simulatedEventFd({ handles }),
  ]);
  const body =
    (seen: number[][]) =>
    (it: Device): void => {
      it.write(0x700, 1, 2, 3);
      seen.push(it.bytes(0x700, 3));
      it.signal();
    };
  const recorded: number[][] = [];
  const replayed: number[][] = [];
  run.start(inTurn(body(recorded)));
  run.emit(EventFd).signalled({ eventfd: IRQ, count: 1 });
  replay(run.buffer, body(replayed));
  t.deepEqual(recorded, [[1, 99, 3]]);
  t.deepEqual(replayed, recorded);
});

test('a call that failed is a fence: the same error, and nothing moves across', (t) => {
  const outside = 64;
  const body = (it: Device, before: boolean): void => {
    if (before) it.discard([8, 1]);
    t.throws(() => it.discard([outside, 1]), { code: 'OUT_OF_BOUNDS' });
    t.throws(() => it.discard([outside, 1]), { code: 'OUT_OF_BOUNDS' });
    if (!before) it.discard([8, 1]);
    t.throws(() => it.bytes(outside * PAGE, 1), { code: 'OUT_OF_BOUNDS' });
    it.signal();
  };
  const buffer = record((it) => body(it, true));
  replay(buffer, (it) => body(it, true));
  const moved = report((it) => it.discard([outside, 1]), buffer);
  t.like(moved, { kind: 'different-effect', turn: 1 });
  t.is(report((it) => it.discard([8, 1]), buffer).kind, 'missing-call');
});

test('invalid arguments are refused as they were', (t) => {
  const body = (it: Device) => {
    t.throws(() => it.write(-1, 1), { code: 'INVALID_ARGUMENT' });
    t.throws(() => it.used(70000), { code: 'INVALID_ARGUMENT' });
    it.signal();
  };
  replay(record(body), body);
});

test('a handler that fails otherwise than recorded diverges', (t) => {
  const found = report((it) => {
    kick(it);
    throw new Error('only now');
  });
  t.like(found, { kind: 'different-failure', call: 8 });
});

test('a buffer that the device reuses does not change what it wrote', (t) => {
  const data = new Uint8Array(4);
  replay(
    KICK,
    middle((it) => {
      it.discard([8, 3], [20, 1]);
      for (const [at, byte] of [
        [0, 1],
        [4, 0],
      ] as const) {
        data.fill(0);
        data[byte] = 1;
        if (at === 0) data.set([1, 0]);
        else data.set([0, 2]);
        it.mmap.write({ region: REGION, offset: USED_RING + at, data });
      }
    }),
  );
  t.pass();
});
