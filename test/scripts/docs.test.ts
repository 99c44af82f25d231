import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readComments } from '../../scripts/contract-comments.js';
import { lockLines, lockProblems } from '../../scripts/contract-lock.js';
import { docsPages, lockedLines, ROOT } from '../../scripts/docs-pages.js';
import { u8, u16 } from '../../src/hal/contract/codec.js';
import { call, defineHal, event, retired } from '../../src/hal/contract/define.js';
import { summarize } from '../../src/hal/contract/schema.js';
import { CONTRACTS } from '../../src/hal/contract-list.js';

test('the committed pages are those of the declarations (else: npm run docs)', (t) => {
  const pages = docsPages();
  for (const [path, text] of pages) t.is(readFileSync(join(ROOT, path), 'utf8'), text, path);
  const committed = readdirSync(join(ROOT, 'docs/contracts')).map(
    (name) => `docs/contracts/${name}`,
  );
  t.deepEqual(committed.sort(), [...pages.keys()].sort());
});

test('every page shows its fingerprint, every entry and every number', (t) => {
  const pages = docsPages();
  for (const contract of CONTRACTS) {
    const page = pages.get(`docs/contracts/${contract.halName}.md`) ?? '';
    t.true(page.includes(`\`${summarize(contract).fingerprint}\``));
    for (const spec of [...contract.calls, ...contract.events]) {
      t.true(page.includes(`## ${spec.name}\n`), `${contract.halName}.${spec.name}`);
      t.true(page.includes(`, number ${spec.index}.`));
    }
  }
  const mmap = pages.get('docs/contracts/mmap.md') ?? '';
  t.true(mmap.includes('`MADV_REMOVE`'), 'footprint');
  t.true(mmap.includes('`mmap2`'), 'footprint by architecture');
  t.true(mmap.includes('gives ranges up'), 'effect');
  t.true(mmap.includes('they read as zero afterwards'), 'doc comment');
});

test('every contract in src/hal has its page', (t) => {
  const files = readdirSync(join(ROOT, 'src/hal')).filter((name) => name.endsWith('.ts'));
  const declaring = files.filter((name) =>
    /= defineHal\(/.test(readFileSync(join(ROOT, 'src/hal', name), 'utf8')),
  );
  t.deepEqual(declaring.sort(), CONTRACTS.map(({ halName }) => `${halName}.ts`).sort());
});

test('contracts only grow: what is locked still holds', (t) => {
  const entries = CONTRACTS.flatMap(({ declaration }) => Object.keys(declaration));
  t.is(lockedLines().length, entries.length);
  t.deepEqual(lockProblems(lockedLines(), lockLines(CONTRACTS)), []);
});

const base = { first: call({ a: u8 }), second: event({ b: u8 }) };

test('the lock lets contracts grow and entries retire, and nothing else', (t) => {
  const locked = lockLines([defineHal('x', base)]);
  const problems = (declaration: Parameters<typeof defineHal>[1]) =>
    lockProblems(locked, lockLines([defineHal('x', declaration)])).length;
  t.is(problems(base), 0);
  t.is(problems({ ...base, third: call({}) }), 0);
  t.is(problems({ first: retired(), second: base.second }), 0);
  t.is(problems({ second: base.second, first: base.first }), 2, 'other numbers');
  t.is(problems({ first: base.first }), 1, 'an entry is gone');
  t.is(problems({ first: call({ a: u16 }), second: base.second }), 1, 'another type');
  t.is(problems({ first: call({ a: u8, c: u8 }), second: base.second }), 1, 'a new argument');
  t.is(problems({ first: event({ a: u8 }), second: base.second }), 1, 'another kind');
  const gone = lockLines([defineHal('x', { first: retired() })]);
  t.is(lockProblems(gone, lockLines([defineHal('x', base)])).length, 1, 'a number is used again');
});

test('comments are read from the source of a contract', (t) => {
  const source = `
    /** A sensor. */
    export const Sensor = defineHal('sensor', {
      /** Reads
       * one value. */
      read: call({}),
      reset: call({}),
    });`;
  const { contract, entries } = readComments('sensor.ts', source);
  t.is(contract, 'A sensor.');
  t.deepEqual(
    [...entries],
    [
      ['read', 'Reads one value.'],
      ['reset', ''],
    ],
  );
  t.throws(() => readComments('none.ts', 'export const x = 1;'), {
    message: /none.ts declares no contract/,
  });
});
