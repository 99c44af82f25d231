import test from 'ava';
import fc from 'fast-check';
import type { Buffer } from '../driver-model.js';
import { bootAsLinux, HIGH, LOW_END, type Machine, MIB, makeMachine, PAGE } from '../harness.js';

/** Places worth trying: the middle, the seam of two regions, the hole, above it, the end of RAM, the end of numbers. */
const BASES = [4 * MIB, 16 * MIB, LOW_END, HIGH, HIGH + 8 * MIB, 2 ** 53, 2 ** 64 - 64 * PAGE];
const RAM_PARTS = [
  { start: 0, end: LOW_END },
  { start: HIGH, end: HIGH + 8 * MIB },
];

const aRange: fc.Arbitrary<Buffer> = fc
  .record({
    base: fc.constantFrom(...BASES),
    pages: fc.integer({ min: -20, max: 20 }),
    length: fc.oneof(
      fc.integer({ min: 0, max: 24 }).map((pages) => pages * PAGE),
      fc.integer({ min: 0, max: 20 * PAGE }),
      fc.constantFrom(4 * MIB, 2 ** 32 - 1),
    ),
    shift: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 4095 })),
    writable: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.constant(false)),
  })
  .map(({ base, pages, length, shift, writable }) => ({
    address: base + pages * PAGE + shift,
    length,
    writable,
  }));

/** A chain in which readable descriptors come first, as they must. */
const aChain = fc
  .array(aRange, { minLength: 1, maxLength: 6 })
  .map((chain) => chain.sort((a, b) => Number(a.writable) - Number(b.writable)));
const drains = fc.array(fc.array(aChain, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});

interface Expected {
  readonly frames: Set<number>;
  named: number;
  outsideRam: number;
  overlap: number;
  unaligned: number;
  readable: number;
}

/** What the device should do, said with sets of frames and no ranges; frames outside of RAM by number only. */
function modelOf(chains: readonly (readonly Buffer[])[]): Expected {
  const expected = {
    frames: new Set<number>(),
    named: 0,
    outsideRam: 0,
    overlap: 0,
    unaligned: 0,
    readable: 0,
  };
  const intervals: { first: number; end: number }[] = [];
  for (const { address, length, writable } of chains.flat()) {
    if (writable !== true) {
      expected.readable++;
      continue;
    }
    if (address % PAGE !== 0 || length % PAGE !== 0) expected.unaligned++;
    const first = Math.ceil(address / PAGE);
    const end = Math.floor((address + length) / PAGE);
    if (end > first) intervals.push({ first, end });
  }
  // Frames are counted between the places where intervals begin and end: one of 4 GiB is too many to list.
  const edges = [
    ...new Set([
      ...intervals.flatMap(({ first, end }) => [first, end]),
      ...RAM_PARTS.flatMap(({ start, end }) => [start / PAGE, end / PAGE]),
    ]),
  ].sort((a, b) => a - b);
  edges.forEach((edge, index) => {
    const next = edges[index + 1] ?? edge;
    const times = intervals.filter(({ first, end }) => first <= edge && end >= next).length;
    if (times === 0 || next === edge) return;
    expected.overlap += (times - 1) * (next - edge);
    const isRam = RAM_PARTS.some(({ start, end }) => edge * PAGE >= start && next * PAGE <= end);
    if (!isRam) expected.outsideRam += next - edge;
    else for (let frame = edge; frame < next; frame++) expected.frames.add(frame);
  });
  return expected;
}

/** The guest's frames that were given back, in the order of the calls. */
function discardedFrames({ calls, ram }: Machine): number[] {
  return calls
    .filter(({ name }) => name === 'discard')
    .flatMap(({ args }) => {
      const ranges = args.ranges as Float64Array;
      const frames: number[] = [];
      for (let index = 0; index < ranges.length; index += 2) {
        const start = ranges[index] ?? 0;
        for (let at = start; at < start + (ranges[index + 1] ?? 0); at += PAGE) {
          const part = ram.find(
            ({ region, offset, size }) =>
              region === args.region && at >= offset && at < offset + size,
          );
          if (part === undefined) throw new Error(`a discard outside of RAM, at ${at}`);
          frames.push((part.address + at - part.offset) / PAGE);
        }
      }
      return frames;
    });
}

test('R17, B1, B4, B5: whatever is reported, pages and faults are as the model says', (t) => {
  let pages = 0;
  let outside = 0;
  fc.assert(
    fc.property(drains, (list) => {
      const machine = makeMachine({ features: { freePageReporting: true } });
      bootAsLinux(machine);
      const { faults, device } = machine;
      for (const chains of list) {
        machine.calls.length = 0;
        const before = faults.counts;
        const heads = chains.map((chain) => machine.reporting.post(...chain));
        machine.driver.kick(3);
        const expected = modelOf(chains);
        const found = discardedFrames(machine);
        t.deepEqual(
          found,
          [...expected.frames].sort((a, b) => a - b),
        );
        const used = machine.reporting.takeUsed();
        t.deepEqual(
          used,
          heads.map((id) => ({ id, length: 0 })),
        );
        const since = (name: keyof typeof before) => faults.of(name) - before[name];
        t.is(since('range-outside-ram'), expected.outsideRam);
        t.is(since('range-overlap'), expected.overlap);
        t.is(since('range-unaligned'), expected.unaligned);
        t.is(since('read-only-buffer'), expected.readable);
        pages += found.length;
        outside += expected.outsideRam;
      }
      t.is(device.metrics.reportRequests, list.flat().length);
    }),
    { numRuns: 150 },
  );
  t.true(pages > 1000 && outside > 1000, `${pages} ${outside}`);
});
