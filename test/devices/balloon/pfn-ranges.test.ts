import test from 'ava';
import fc from 'fast-check';
import { joinFrameRanges, toFrameRanges } from '../../../src/devices/balloon/pfn-ranges.js';

function rangesOf(list: readonly number[]): number[] {
  const frames = Uint32Array.from(list);
  const ranges = new Float64Array(list.length * 2 + 2).fill(-7);
  const count = toFrameRanges(frames, ranges);
  return [...ranges.subarray(0, count * 2)];
}

/** The obvious way. */
function expected(list: readonly number[]): number[] {
  const ranges: number[] = [];
  for (const frame of [...new Set(list)].sort((a, b) => a - b)) {
    const end = (ranges.at(-2) ?? -2) + (ranges.at(-1) ?? 0);
    if (end === frame) ranges[ranges.length - 1] = (ranges.at(-1) ?? 0) + 1;
    else ranges.push(frame, 1);
  }
  return ranges;
}

test('A9: neighbours become one range, up, down or mixed', (t) => {
  t.deepEqual(rangesOf([]), []);
  t.deepEqual(rangesOf([5]), [5, 1]);
  t.deepEqual(rangesOf([0, 1, 2]), [0, 3]);
  t.deepEqual(rangesOf([3, 2, 1, 9]), [1, 3, 9, 1]);
  t.deepEqual(rangesOf([1, 3, 2, 2, 3]), [1, 3]);
  t.deepEqual(rangesOf([4, 4, 5, 5, 7]), [4, 2, 7, 1]);
});

test('A9: the largest frame number alone is a range of one page', (t) => {
  t.deepEqual(rangesOf([0xffffffff]), [0xffffffff, 1]);
  t.deepEqual(rangesOf([0xffffffff, 0, 0xfffffffe]), [0, 1, 0xfffffffe, 2]);
});

test('A9: nothing is lost, nothing added, ranges are maximal and ascend', (t) => {
  const near = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 80 });
  const far = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 80 });
  const ascending = near.map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(fc.oneof(near, far, ascending), (list) => {
      t.deepEqual(rangesOf(list), expected(list));
    }),
    { numRuns: 2000 },
  );
});

test('B4: ranges that touch or overlap become one, in any order, and nothing is lost', (t) => {
  const aRange = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(fc.array(aRange, { maxLength: 40 }), (list) => {
      const ranges = Float64Array.from([...list.flat(), -7, -7]);
      const count = joinFrameRanges(ranges, list.length);
      const frames = list.flatMap(([first, length]) =>
        Array.from({ length }, (_, index) => first + index),
      );
      t.deepEqual([...ranges.subarray(0, count * 2)], expected(frames));
    }),
  );
});
