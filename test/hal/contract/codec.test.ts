import test from 'ava';
import fc from 'fast-check';
import {
  byteRanges,
  bytes,
  list,
  out,
  record,
  u16Array,
  u32Array,
  u32Runs,
} from '../../../src/hal/contract/arrays.js';
import {
  bool,
  type Codec,
  handle,
  i32,
  milli,
  oneOf,
  optional,
  quantity,
  text,
  u8,
  u16,
  u32,
  u53,
  u64,
} from '../../../src/hal/contract/codec.js';
import { WireError, WireReader, WireWriter } from '../../../src/hal/contract/wire.js';
import { valuesOf } from '../arbitrary.js';

const row = record({
  index: u32,
  value: u64,
  label: text,
  level: oneOf('low', 'high'),
  maybe: optional(u8),
});

const CODECS = [
  u8,
  u16,
  u32,
  u53,
  i32,
  u64,
  bool,
  text,
  bytes,
  u16Array,
  u32Array,
  u32Runs,
  byteRanges,
  handle('region'),
  quantity('bytes'),
  milli('celsius'),
  oneOf('a', 'b', 'c'),
  row,
  list(u32),
  list(text),
  list(row),
  list(i32),
  record({ inner: row, rows: list(row), data: bytes, frames: u32Runs }),
] as Codec<unknown>[];

function encoded(codec: Codec<unknown>, value: unknown): WireReader {
  const writer = new WireWriter(1);
  codec.write(writer, value);
  return new WireReader(writer.bytes, 0, writer.position);
}

CODECS.forEach((codec, position) => {
  test(`${position} ${codec.name}: values pass the check, come back, and match themselves only`, (t) => {
    fc.assert(
      fc.property(valuesOf(codec), valuesOf(codec), (value, other) => {
        t.is(codec.check(value), undefined);
        const reader = encoded(codec, value);
        t.deepEqual(codec.read(reader), value);
        t.is(reader.position, reader.end, 'read stops at the end');
        const same = encoded(codec, value);
        t.true(codec.matches(same, value));
        t.is(same.position, same.end, 'matches stops at the end');
        const equal = Buffer.from(bytesOf(codec, value)).equals(bytesOf(codec, other));
        t.is(codec.matches(encoded(codec, value), other), equal);
      }),
      { numRuns: 60 },
    );
  });
});

function bytesOf(codec: Codec<unknown>, value: unknown): Uint8Array {
  const { bytes: data, end } = encoded(codec, value);
  return data.subarray(0, end);
}

for (const codec of [bytes, u16Array, u32Array, u32Runs] as Codec<{
  length: number;
  at(i: number): unknown;
}>[]) {
  test(`${codec.name}: fills a buffer of its length and refuses another`, (t) => {
    const filled = out(codec);
    t.true(filled.isOut);
    fc.assert(
      fc.property(valuesOf(codec as Codec<unknown>), (value) => {
        const source = value as Uint32Array;
        const type = source.constructor as new (length: number) => Uint32Array;
        const target = new type(source.length);
        const reader = encoded(codec as Codec<unknown>, source);
        filled.fill?.(reader, target as never);
        t.deepEqual(target, source);
        t.is(reader.position, reader.end);
        const longer = encoded(codec as Codec<unknown>, source);
        t.throws(() => filled.fill?.(longer, new type(source.length + 1) as never), {
          instanceOf: WireError,
        });
        if (source.length === 0) return;
        const shorter = encoded(codec as Codec<unknown>, source);
        t.throws(() => filled.fill?.(shorter, new type(source.length - 1) as never), {
          instanceOf: WireError,
        });
      }),
      { numRuns: 40 },
    );
  });
}

test('checks name what is wrong', (t) => {
  const cases: [Codec<unknown>, unknown][] = [
    [u8, 256],
    [u8, -1],
    [u8, 1.5],
    [u8, Number.NaN],
    [u8, '1'],
    [u8, 1n],
    [u16, 65536],
    [u32, 2 ** 32],
    [u53, 2 ** 53],
    [i32, 2 ** 31],
    [i32, 0.5],
    [u64, 2n ** 64n],
    [u64, -1n],
    [u64, 1],
    [bool, 1],
    [text, 5],
    [text, 'a\uD800'],
    [bytes, [1]],
    [bytes, 'x'],
    [u16Array, new Uint32Array(1)],
    [u32Array, [1]],
    [u32Runs, new Uint16Array(1)],
    [byteRanges, new Float64Array(1)],
    [byteRanges, new Float64Array([-1, 0])],
    [byteRanges, new Float64Array([0.5, 1])],
    [byteRanges, new Float64Array([2 ** 52, 1])],
    [milli('x'), Number.NaN],
    [milli('x'), 2 ** 42],
    [oneOf('a', 'b'), 'c'],
    [oneOf('a', 'b'), 0],
    [row, undefined],
    [row, { index: 1 }],
    [list(u8), 7],
    [list(u8), [1, 256]],
    [optional(u8), 256],
    [optional(u8), null],
  ] as [Codec<unknown>, unknown][];
  for (const [codec, value] of cases) {
    t.is(typeof codec.check(value), 'string', `${codec.name} accepts ${String(value)}`);
  }
  t.is(list(u8).check([1, 256]), '[1] must be a whole number from 0 to 255, got 256');
});

test('a codec that rounds says what will be read back', (t) => {
  const celsius = milli('celsius') as Codec<unknown>;
  t.is(celsius.round?.(20.12345), 20.123);
  t.is(celsius.read(encoded(celsius, 20.12345)), 20.123);
  t.true(celsius.matches(encoded(celsius, 20.12345), 20.12345));
  t.true(Object.is(celsius.round?.(-0.0001), 0), 'no negative zero: the trace has none');
  const nested = record({ at: u8, readings: list(record({ celsius: milli('celsius') })) });
  t.deepEqual(nested.round?.({ at: 1, readings: [{ celsius: 0.00049 }] }), {
    at: 1,
    readings: [{ celsius: 0 }],
  });
  t.is(u8.round, undefined);
});

test('values that do not fit their codec are refused when they are read', (t) => {
  const wide = encoded(u53 as Codec<unknown>, 2 ** 40);
  for (const codec of [u8, u16, u32, oneOf('a'), i32] as Codec<unknown>[]) {
    wide.position = 0;
    t.throws(() => codec.read(wide), { instanceOf: WireError }, codec.name);
  }
  const odd = new WireReader(Uint8Array.from([3, 0, 2, 4]));
  t.throws(() => byteRanges.read(odd), { instanceOf: WireError }, 'a start without a length');
  const cut = new WireReader(Uint8Array.from([1, 0x80, 1]));
  t.throws(
    () => u32Array.read(cut),
    { instanceOf: WireError },
    'an element that runs past its list',
  );
});

test('a packed array cannot be optional: an empty one and none look alike', (t) => {
  t.throws(() => optional(u32Array), { instanceOf: TypeError });
});
