import test from 'ava';
import {
  type Device,
  FRAMES,
  KICK,
  kick,
  middle,
  PAGE,
  REGION,
  record,
  replay,
  USED_RING,
  writes,
} from './effects-device.js';

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
