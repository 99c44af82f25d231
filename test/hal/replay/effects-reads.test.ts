import test from 'ava';
import type { HalOf } from '../../../src/hal/contract/define.js';
import type { Mmap } from '../../../src/hal/mmap.js';
import { type Device, middle, REGION, record, replay, report, writes } from './effects-device.js';

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

test('bytes that changed between acquire loads are served by their epoch', (t) => {
  // A guest that moves on: what lies at 0x700 grows with every acquire load.
  const growing = (memory: HalOf<typeof Mmap>): Partial<HalOf<typeof Mmap>> => {
    let value = 0;
    return {
      loadAcquireU16: (args) => {
        memory.write({ region: REGION, offset: 0x700, data: Uint8Array.of(++value) });
        return memory.loadAcquireU16(args);
      },
    };
  };
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
  const buffer = record(body(recorded, false), growing);
  t.deepEqual(recorded, [[1], [2]]);
  const replayed: number[][] = [];
  replay(buffer, body(replayed, true));
  t.deepEqual(replayed, [[1], [1], [2], [2]], 'after the third load the latest that is known');
  const early: number[][] = [];
  replay(buffer, (it) => {
    early.push(it.bytes(0x700, 1));
    for (let count = 0; count < 3; count++) it.avail();
    it.signal();
  });
  t.deepEqual(early, [[1]], 'before the first load the earliest that is known');
});

test('what someone else changed behind an own write is served as it was read', (t) => {
  const racing = (memory: HalOf<typeof Mmap>): Partial<HalOf<typeof Mmap>> => ({
    read: (args) => {
      memory.write({ region: REGION, offset: 0x701, data: Uint8Array.of(99) });
      memory.read(args);
    },
  });
  const body =
    (seen: number[][]) =>
    (it: Device): void => {
      it.write(0x700, 1, 2, 3);
      seen.push(it.bytes(0x700, 3));
      it.signal();
    };
  const recorded: number[][] = [];
  const replayed: number[][] = [];
  replay(record(body(recorded), racing), body(replayed));
  t.deepEqual(recorded, [[1, 99, 3]]);
  t.deepEqual(replayed, recorded);
});
