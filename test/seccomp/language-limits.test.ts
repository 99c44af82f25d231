import test from 'ava';
import { faultsOf } from './language-kit.js';

const equalities = (count: number, join = ' || ', operator = '==') =>
  Array.from({ length: count }, (_, index) => `arg0 ${operator} ${index}`).join(join);

/** The largest count for which a policy is accepted, up to 2000. */
function largest(accepts: (count: number) => boolean): number {
  let low = 0;
  let high = 2000;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (accepts(middle)) low = middle;
    else high = middle;
  }
  return low;
}

const isAccepted = (dialect: 'minijail-c' | 'minijail-python', text: string) =>
  faultsOf(dialect, text).length === 0;

test('C: a program has 4096 instructions at most', (t) => {
  // Frame 5, jump 2, entry and return 2, success 2, each clause 8 + 2: 408 clauses make 4091, one more 4101.
  t.is(
    largest((count) => isAccepted('minijail-c', `read: ${equalities(count)}\n`)),
    408,
  );
  t.deepEqual(faultsOf('minijail-c', `read: ${equalities(409)}\n`), ['program-too-long 1:1 read']);
});

test('C: orders with constants beyond 32 bits take an instruction more', (t) => {
  const policy = (count: number) =>
    `read: ${Array.from({ length: count }, () => 'arg0 >= 0x200000000').join(' || ')}\n`;
  t.deepEqual(faultsOf('minijail-c', policy(371)), []);
  t.deepEqual(faultsOf('minijail-c', policy(372)), ['program-too-long 1:1 read']);
});

test('C: a program has 512 labels at most', (t) => {
  const kit = { arch: 'arm' } as const;
  const policy = (count: number) => `read: ${equalities(count)}\n`;
  t.deepEqual(faultsOf('minijail-c', policy(510), kit), []);
  t.deepEqual(faultsOf('minijail-c', policy(511), kit), ['too-many-labels 1:1 read']);
});

test("Python: the compiler's recursion ends at the lengths that were measured", (t) => {
  const limit = (join: string, operator: string) =>
    largest((count) =>
      isAccepted('minijail-python', `read: ${equalities(count, join, operator)}\n`),
    );
  t.is(limit(' || ', '=='), 493);
  t.is(limit(' && ', '!='), 493);
  t.is(limit(' || ', '&'), 985);
  t.deepEqual(faultsOf('minijail-python', `read: ${equalities(1400)}\n`), [
    'expression-too-long 1:5 :',
  ]);
});

test('parentheses: C takes any number, Python as many as its stack', (t) => {
  const nested = (depth: number) => `read: arg0 == ${'('.repeat(depth)}1${')'.repeat(depth)}\n`;
  t.deepEqual(faultsOf('minijail-c', nested(50_000)), []);
  t.deepEqual(faultsOf('minijail-python', nested(488)), []);
  t.deepEqual(
    faultsOf('minijail-python', nested(50_000)).map((fault) => fault.split(' ')[0]),
    ['nesting-too-deep'],
  );
});

test('a file of nothing but faults is reported up to a limit, and soon', (t) => {
  const lines = Array.from({ length: 5000 }, (_, index) => `read: arg0 == NO_SUCH_NAME_${index}\n`);
  const faults = faultsOf('minijail-python', lines.join(''));
  t.is(faults.length, 1001);
  t.regex(faults.at(-1) ?? '', /^too-many-faults 1001:/);
});
