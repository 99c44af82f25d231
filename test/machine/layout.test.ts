import test from 'ava';
import fc from 'fast-check';
import { simulatedMemory } from '../../src/hal/simulated/memory.js';
import { createRam, ramRanges, virtioSlot } from '../../src/machine/layout.js';
import { MIB } from './harness.js';

const GIB = 2 ** 30;

test('RAM goes around the gap below 4 GiB', (t) => {
  t.deepEqual(ramRanges(192 * MIB), [{ address: 0, size: 192 * MIB, offset: 0 }]);
  t.deepEqual(ramRanges(3 * GIB), [{ address: 0, size: 3 * GIB, offset: 0 }]);
  t.deepEqual(ramRanges(3 * GIB + 4096), [
    { address: 0, size: 3 * GIB, offset: 0 },
    { address: 4 * GIB, size: 4096, offset: 3 * GIB },
  ]);
  t.deepEqual(ramRanges(16 * GIB)[1], {
    address: 4 * GIB,
    size: 13 * GIB,
    offset: 3 * GIB,
  });
});

test('RAM of any size is laid out whole, and never where devices are', (t) => {
  const pages = fc.integer({ min: 512, max: 2 ** 24 });
  fc.assert(
    fc.property(pages, (count) => {
      const ranges = ramRanges(count * 4096);
      let sum = 0;
      for (const range of ranges) {
        t.is(range.offset, sum);
        sum += range.size;
        t.is(range.address % 4096, 0);
        t.true(range.address + range.size <= 3 * GIB || range.address >= 4 * GIB);
      }
      t.is(sum, count * 4096);
    }),
    { numRuns: 50 },
  );
});

test('sizes that cannot be laid out are refused', (t) => {
  for (const size of [0, -4096, 4096, 2 * MIB + 1, 1.5, Number.NaN, 2 ** 53]) {
    t.throws(() => ramRanges(size), {
      instanceOf: RangeError,
      message: /multiple of 4096/,
    });
  }
});

test('RAM is one region, whatever parts it has', (t) => {
  const mmap = simulatedMemory().create({});
  const parts = createRam(mmap, ramRanges(3 * GIB + 8 * MIB));
  t.deepEqual(
    parts.map(({ address, offset }) => [address, offset]),
    [
      [0, 0],
      [4 * GIB, 3 * GIB],
    ],
  );
  t.is(parts[0]?.region, parts[1]?.region);
  t.is(mmap.describe({ region: parts[0]?.region ?? 0 }).size, 3 * GIB + 8 * MIB);
});

test('slots lie in the gap, a page apart, with interrupts from 5 to 23', (t) => {
  t.deepEqual(virtioSlot(0), { address: 0xd0000000, gsi: 5 });
  t.deepEqual(virtioSlot(1), { address: 0xd0001000, gsi: 6 });
  t.deepEqual(virtioSlot(18), { address: 0xd0012000, gsi: 23 });
  for (const slot of [-1, 19, 0.5]) {
    t.throws(() => virtioSlot(slot), { instanceOf: RangeError });
  }
});
