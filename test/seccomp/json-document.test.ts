import test from 'ava';
import fc from 'fast-check';
import { parseJsonDocument } from '../../src/seccomp/policy-test/json-document.js';
import { TestFileError } from '../../src/seccomp/policy-test/test-document.js';

/** The value, or undefined for what is refused. */
function ours(text: string): { value: unknown } | undefined {
  try {
    return { value: parseJsonDocument(text, 'a.json').value };
  } catch (error) {
    if (error instanceof TestFileError) return undefined;
    throw error;
  }
}

function nodes(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** Fields that are there twice are refused here, and whole numbers without loss are bigints: neither is in these. */
const simple = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) =>
    JSON.stringify(value, (_, each: unknown) =>
      typeof each === 'number' ? (each % 1000) | 0 : each,
    ),
  );

test('what JSON.parse reads is read as the same value', (t) => {
  fc.assert(
    fc.property(simple, fc.constantFrom('', ' ', '\n', '\t\r\n'), (text, space) => {
      t.deepEqual(ours(`${space}${text}${space}`), { value: JSON.parse(text) as unknown });
    }),
    { numRuns: 400 },
  );
});

test('what JSON.parse refuses is refused, and the rest is not', (t) => {
  const damage = fc.tuple(
    simple,
    fc.nat(),
    fc.constantFrom('', ',', '"', '}', ']', '\\', '\u0001', '01', 'x', ':'),
  );
  fc.assert(
    fc.property(damage, ([text, at, inserted]) => {
      const place = at % (text.length + 1);
      const broken = text.slice(0, place) + inserted + text.slice(place + 1);
      const expected = nodes(broken);
      const repeated = /"([^"]*)":.*"\1":/s.test(broken);
      if (!repeated) t.is(ours(broken) === undefined, expected === undefined, broken);
    }),
    { numRuns: 2000 },
  );
});

test('whole numbers of 64 bits keep their digits', (t) => {
  const { value } = parseJsonDocument(
    '[18446744073709551615, -9007199254740993, 7, 1e3, 1.5]',
    'a',
  );
  t.deepEqual(value, [18446744073709551615n, -9007199254740993n, 7, 1000, 1.5]);
});

test('every value has its place', (t) => {
  const document = parseJsonDocument('{"a": [1,\r\n  {"b": 2}],\n\n "c": 3}', 'a');
  const value = document.value as { a: [number, object] };
  t.deepEqual(document.positionOf(value, 'c'), { line: 4, column: 7 });
  t.deepEqual(document.positionOf(value.a), { line: 1, column: 7 });
  t.deepEqual(document.positionOf(value.a, 1), { line: 2, column: 3 });
  t.deepEqual(document.positionOf(value.a[1], 'b'), { line: 2, column: 9 });
  // A field that is not there: where it should be.
  t.deepEqual(document.positionOf(value.a[1], 'x'), { line: 2, column: 3 });
});

test('a field called __proto__ is a field', (t) => {
  const { value } = parseJsonDocument('{"__proto__": {"x": 1}}', 'a');
  t.deepEqual(Object.entries(value as object), [['__proto__', { x: 1 }]]);
});
