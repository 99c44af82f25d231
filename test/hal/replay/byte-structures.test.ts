import test from 'ava';
import fc from 'fast-check';
import { ByteFold, compareFolds } from '../../../src/hal/replay/byte-fold.js';
import { ByteHistory } from '../../../src/hal/replay/byte-history.js';
import { RangeSet } from '../../../src/hal/replay/range-set.js';

const SIZE = 40;
const range = fc.tuple(fc.nat(SIZE - 1), fc.nat(8)).map(([start, length]) => ({
  start,
  end: Math.min(SIZE, start + length),
}));

test('a range set holds what a set of bytes holds, in sorted ranges that do not touch', (t) => {
  fc.assert(
    fc.property(fc.array(range), range, (ranges, probe) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const { start, end } of ranges) {
        set.add(start, end);
        for (let byte = start; byte < end; byte++) model.add(byte);
      }
      const held = set.all.flatMap(({ start, end }) =>
        Array.from({ length: end - start }, (_, i) => start + i),
      );
      t.deepEqual(
        held,
        [...model].sort((a, b) => a - b),
      );
      set.all.forEach(({ start }, index) => {
        t.true(index === 0 || start > (set.all[index - 1]?.end ?? 0));
      });
      const gaps = set
        .gaps(probe.start, probe.end)
        .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
      const missing = Array.from({ length: probe.end - probe.start }, (_, i) => probe.start + i);
      t.deepEqual(
        gaps,
        missing.filter((byte) => !model.has(byte)),
      );
    }),
  );
});

const action = fc.record({
  range,
  value: fc.option(fc.integer({ min: 1, max: 255 }), { nil: undefined }),
});

type Bytes = Map<number, number | undefined>;

function folded(
  actions: readonly { range: { start: number; end: number }; value: number | undefined }[],
) {
  const fold = new ByteFold();
  const model: Bytes = new Map();
  for (const { range: r, value } of actions) {
    if (value === undefined) fold.release(r.start, r.end);
    else
      fold.write(
        r.start,
        Uint8Array.from({ length: r.end - r.start }, (_, i) => value + i),
      );
    for (let byte = r.start; byte < r.end; byte++) {
      model.set(byte, value === undefined ? undefined : (value + byte - r.start) & 255);
    }
  }
  return { fold, model };
}

test('a fold keeps the last value of each byte', (t) => {
  fc.assert(
    fc.property(fc.array(action), range, (actions, probe) => {
      const { fold, model } = folded(actions);
      const seen: Bytes = new Map();
      for (const run of fold.within(probe.start, probe.end)) {
        for (let byte = run.start; byte < run.end; byte++)
          seen.set(byte, run.data?.[byte - run.start]);
      }
      const expected = [...model].filter(([byte]) => byte >= probe.start && byte < probe.end);
      t.deepEqual(
        [...seen],
        expected.sort(([a], [b]) => a - b),
      );
    }),
  );
});

test('two folds differ exactly where their written bytes do', (t) => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 6 }),
      fc.array(action, { maxLength: 6 }),
      (one, two) => {
        const left = folded(one);
        const right = folded(two);
        const found = new Set<number>();
        for (const { start, end, left: a, right: b } of compareFolds(left.fold, right.fold)) {
          for (let i = 0; i < end - start; i++) {
            t.is(a?.[i], left.model.get(start + i));
            t.is(b?.[i], right.model.get(start + i));
            // Bytes between the first and the last differing one of a run may be equal.
            if (a?.[i] !== b?.[i]) found.add(start + i);
          }
        }
        const differing = Array.from({ length: SIZE }, (_, byte) => byte).filter(
          (byte) => left.model.get(byte) !== right.model.get(byte),
        );
        t.deepEqual(
          [...found].sort((a, b) => a - b),
          differing,
        );
      },
    ),
  );
});

test('a history serves the value read last before an epoch, or the next one', (t) => {
  const reads = fc.array(fc.tuple(range, fc.nat(3), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(reads, range, fc.nat(4), (entries, probe, epoch) => {
      const history = new ByteHistory();
      const inOrder = [...entries].sort(([, a], [, b]) => a - b);
      for (const [r, at, value] of inOrder) {
        history.add(r.start, new Uint8Array(r.end - r.start).fill(value), at);
      }
      const target = new Uint8Array(probe.end - probe.start);
      const known = new RangeSet();
      history.paint(target, probe.start, probe, epoch, known);
      for (let byte = probe.start; byte < probe.end; byte++) {
        const all = inOrder.filter(([r]) => r.start <= byte && byte < r.end);
        const before = all.filter(([, at]) => at <= epoch).at(-1);
        const chosen = before ?? all.find(([, at]) => at > epoch);
        t.is(known.gaps(byte, byte + 1).length, chosen === undefined ? 1 : 0);
        if (chosen !== undefined) t.is(target[byte - probe.start], chosen[2]);
      }
    }),
  );
});
