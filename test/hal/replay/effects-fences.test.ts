import test from 'ava';
import { HalError } from '../../../src/hal/contract/errors.js';
import {
  AVAIL_INDEX,
  type Device,
  FRAMES,
  kick,
  middle,
  PAGE,
  REGION,
  record,
  replay,
  report,
  USED_INDEX,
  writes,
} from './effects-device.js';

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

test('a call that failed only after an acquire load is no fence before it', (t) => {
  const seen: string[] = [];
  const body = (it: Device): void => {
    seen.push(it.bytes(FRAMES, 1).join());
    it.avail();
    seen.push(String(t.throws(() => it.bytes(FRAMES, 1), { code: 'OUT_OF_BOUNDS' })?.message));
    it.signal();
  };
  const buffer = record(body, (memory) => {
    let loads = 0;
    return {
      loadAcquireU16: (args) => {
        loads++;
        return memory.loadAcquireU16(args);
      },
      read: (args) => {
        if (loads > 0) throw new HalError('OUT_OF_BOUNDS', 'gone');
        memory.read(args);
      },
    };
  });
  replay(buffer, body);
  t.deepEqual(seen, ['8', 'gone', '8', 'gone']);
  const early = report((it) => {
    it.avail();
    t.throws(() => it.bytes(FRAMES, 1), { code: 'OUT_OF_BOUNDS' });
    it.avail();
  }, buffer);
  t.like(early, { kind: 'extra-call', call: 3 });
});

test('invalid arguments are refused as they were', (t) => {
  const body = (it: Device) => {
    t.throws(() => it.write(-1, 1), { code: 'INVALID_ARGUMENT' });
    t.throws(() => it.used(70000), { code: 'INVALID_ARGUMENT' });
    it.signal();
  };
  replay(record(body), body);
});
