import test from 'ava';
import fc from 'fast-check';
import {
  tagOf,
  varintSize,
  WireError,
  WireReader,
  WireWriter,
} from '../../../src/hal/contract/wire.js';

function written(body: (writer: WireWriter) => void): WireReader {
  // The smallest buffer, so that every write also grows it.
  const writer = new WireWriter(1);
  body(writer);
  return new WireReader(writer.bytes, 0, writer.position);
}

test('varints come back, take the size they should, and end where they end', (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(52), (value, shift) => {
      const number = Math.floor(value / 2 ** shift);
      const reader = written((writer) => writer.varint(number));
      t.is(reader.end, varintSize(number));
      t.is(reader.varint(), number);
      t.is(reader.position, reader.end);
    }),
  );
});

test('zigzag and fixed64 come back', (t) => {
  const limit = 2 ** 52 - 1;
  fc.assert(
    fc.property(
      fc.integer({ min: -limit, max: limit }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (signed, wide) => {
        const reader = written((writer) => {
          writer.zigzag(signed);
          writer.fixed64(wide);
        });
        t.is(reader.zigzag(), signed);
        t.is(reader.fixed64(), wide);
        t.is(reader.position, reader.end);
      },
    ),
  );
});

test('text comes back, a byte order mark included', (t) => {
  for (const value of ['', 'kvm', '\uFEFFmark', '32 °C', '\u{1F4BE}']) {
    t.is(written((writer) => writer.text(value)).text(), value);
  }
});

test('a length grows its field in place', (t) => {
  for (const size of [0, 1, 127, 128, 16383, 16384]) {
    const body = new Uint8Array(size).fill(7);
    const reader = written((writer) => {
      const mark = writer.beginLength();
      writer.raw(body);
      writer.endLength(mark);
      writer.varint(99);
    });
    t.deepEqual(reader.blob(), body);
    t.is(reader.varint(), 99);
  }
});

test('a reader skips fields of every wire type', (t) => {
  const reader = written((writer) => {
    writer.varint(tagOf(1, 0));
    writer.varint(2 ** 40);
    writer.varint(tagOf(2, 1));
    writer.fixed64(5n);
    writer.varint(tagOf(3, 2));
    writer.blob(new Uint8Array(300));
    writer.varint(tagOf(4, 5));
    writer.raw(new Uint8Array(4));
    writer.varint(77);
  });
  for (let count = 0; count < 4; count++) reader.skip(reader.varint());
  t.is(reader.varint(), 77);
  t.is(reader.position, reader.end);
});

test('bytes that are no protobuf are refused with their position', (t) => {
  const cases: [string, number[], (reader: WireReader) => unknown][] = [
    ['cut varint', [0x80, 0x80], (reader) => reader.varint()],
    ['nothing at all', [], (reader) => reader.varint()],
    ['2^53', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], (reader) => reader.varint()],
    ['endless varint', new Array<number>(20).fill(0xff), (reader) => reader.varint()],
    ['false length', [5, 1, 2], (reader) => reader.blob()],
    ['cut fixed64', [1, 2, 3], (reader) => reader.fixed64()],
    ['no UTF-8', [2, 0xc3, 0x28], (reader) => reader.text()],
    ['groups', [], (reader) => reader.skip(tagOf(1, 3))],
    ['a skip past the end', [9], (reader) => reader.skip(tagOf(1, 2))],
    ['a fixed skip past the end', [9], (reader) => reader.skip(tagOf(1, 1))],
  ];
  for (const [name, data, read] of cases) {
    const error = t.throws(
      () => read(new WireReader(Uint8Array.from(data))),
      { instanceOf: WireError },
      name,
    );
    t.true(error.position <= data.length, name);
  }
});

test('a reader stays within its bounds although the buffer goes on', (t) => {
  const reader = new WireReader(Uint8Array.from([0x80, 1, 1]), 0, 1);
  t.throws(() => reader.varint(), { instanceOf: WireError });
});

test('a blob read out of a Buffer is a copy at offset 0', (t) => {
  const source = Buffer.from([2, 8, 9]);
  const blob = new WireReader(source).blob();
  source.fill(0);
  t.deepEqual(blob, Uint8Array.from([8, 9]));
  t.is(blob.byteOffset, 0);
});
