import test from 'ava';
import fc from 'fast-check';
import { parseAvailable, parseMargin } from '../../src/policy/margin.js';

const utf8 = (text: string) => new TextEncoder().encode(text);

const GOOD_MARGINS: readonly (readonly [string, readonly number[]])[] = [
  ['50', [50]],
  ['50\n', [50]],
  ['50 200 ', [50, 200]],
  ['50 200 \n', [50, 200]],
  ['  50\t200', [50, 200]],
  ['0', [0]],
  ['007', [7]],
  ['+5', [5]],
  ['200 50', [200, 50]],
  ['\u00a050\u0085', [50]],
  ['18446744073709551615', [Number.MAX_SAFE_INTEGER]],
];

for (const [text, valuesMiB] of GOOD_MARGINS) {
  test(`margin ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(parseMargin(utf8(text)), {
      status: 'read',
      marginMiB: valuesMiB[0] ?? -1,
      valuesMiB,
      mayBeCut: false,
    });
  });
}

for (const text of ['off', 'off\n', ' off ']) {
  test(`margin ${JSON.stringify(text)} is off`, (t) => {
    t.deepEqual(parseMargin(utf8(text)), { status: 'off' });
  });
}

const BAD_MARGINS: readonly (readonly [string, string])[] = [
  ['', 'empty'],
  [' \n', 'empty'],
  ['fifty', 'not-a-number'],
  ['50 x', 'not-a-number'],
  ['50 off', 'not-a-number'],
  ['on', 'not-a-number'],
  ['-1', 'not-a-number'],
  ['+', 'not-a-number'],
  ['1.5', 'not-a-number'],
  ['0x10', 'not-a-number'],
  ['1e3', 'not-a-number'],
  ['50,200', 'not-a-number'],
  ['50\0', 'not-a-number'],
  ['\ufeff50', 'not-a-number'],
  ['50 18446744073709551616', 'too-large'],
];

for (const [text, fault] of BAD_MARGINS) {
  test(`margin ${JSON.stringify(text)} is invalid: ${fault}`, (t) => {
    t.like(parseMargin(utf8(text)), { status: 'invalid', fault });
    if (!text.includes(' ')) t.like(parseAvailable(utf8(text)), { status: 'invalid', fault });
  });
}

test('a list that is cut in the middle of a number still gives its first value', (t) => {
  const content = utf8('50 200 3000 40000 500000 6000000 70000000').subarray(0, 32);
  t.deepEqual(parseMargin(content), {
    status: 'read',
    marginMiB: 50,
    valuesMiB: [50, 200, 3000, 40000, 500000, 6000000],
    mayBeCut: true,
  });
  const inside = utf8('50 200 3000 40000 500000 6000000 70000000').subarray(0, 28);
  t.like(parseMargin(inside), { marginMiB: 50, valuesMiB: [50, 200, 3000, 40000, 500000, 600] });
});

test('bytes after the 32nd do not count', (t) => {
  t.like(parseMargin(utf8(`${'50 '.padEnd(32)}garbage`)), { marginMiB: 50, mayBeCut: true });
});

test('a read that ends inside a character is no UTF-8', (t) => {
  t.like(parseMargin(utf8('50 é').subarray(0, 4)), { status: 'invalid', fault: 'not-utf8' });
});

test('available is one number', (t) => {
  t.deepEqual(parseAvailable(utf8('1234\n')), {
    status: 'read',
    availableMiB: 1234,
    mayBeCut: false,
  });
  t.like(parseAvailable(utf8('50 200')), { status: 'invalid', fault: 'not-a-number' });
  t.like(parseAvailable(utf8('off')), { status: 'invalid', fault: 'not-a-number' });
});

test('any bytes give a result, and a number is a whole one', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (content) => {
      const margin = parseMargin(content);
      if (margin.status === 'read') return Number.isSafeInteger(margin.marginMiB);
      return margin.status === 'off' || margin.reason.length > 0;
    }),
  );
  t.pass();
});
