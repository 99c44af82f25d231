import { crc32 as reference } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { crc32, crc32ByTable } from '../../src/trace/crc32.js';

test("crc32 is Node's own where Node has one", (t) => {
  t.true(Object.is(crc32, reference));
});

test('without it, a table gives the same, in one piece and in two', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
      const whole = reference(bytes);
      t.is(crc32ByTable(bytes), whole);
      t.is(crc32ByTable(bytes.subarray(at), crc32ByTable(bytes.subarray(0, at))), whole);
    }),
  );
});
