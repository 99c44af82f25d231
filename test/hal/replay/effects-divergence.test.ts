import test from 'ava';
import {
  type Device,
  kick,
  middle,
  PAGE,
  record,
  report,
  USED_RING,
  writes,
} from './effects-device.js';

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
  t.regex(shifted.stack.join('\n'), /effects-divergence.test/);
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

test('a handler that fails otherwise than recorded diverges', (t) => {
  const found = report((it) => {
    kick(it);
    throw new Error('only now');
  });
  t.like(found, { kind: 'different-failure', call: 8 });
});
