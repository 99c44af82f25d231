import test from 'ava';
import { isBootFault } from '../../../lab/suite/boot-faults.js';
import {
  agreement,
  allChecks,
  atLeast,
  atMost,
  equal,
  fieldOf,
  NoteError,
  numberOf,
  within,
} from '../../../lab/suite/figures.js';
import { BOOT_TROUBLE_NOTE, TROUBLE_NOTE } from '../../../lab/suite/steps.js';
import type { Evidence, RunReport, SuiteCase } from '../../../lab/suite/suite-case.js';

const note = (name: string, value: string | Record<string, number>) => ({
  name,
  seconds: 0,
  value,
});

const REPORT: RunReport = {
  exitCode: 0,
  end: { kind: 'power-off' },
  notes: [
    note('free', '1024'),
    note('then', { actualBytes: 7 }),
    note(BOOT_TROUBLE_NOTE, ''),
    note(TROUBLE_NOTE, '0'),
  ],
  unusedFaults: 0,
  bootFaults: 0,
  seconds: 1,
};

const EVIDENCE: Evidence = {
  arch: 'x86_64',
  report: REPORT,
  replay: {
    divergence: undefined,
    lanes: ['main'],
    turns: 3,
    believedBytes: 2 ** 20,
    actualPages: 256,
    notices: [],
    failure: undefined,
  },
};

const CASE: SuiteCase = { name: 'a case', config: () => ({}), checks: () => [] };

const wrong = (suiteCase: SuiteCase, evidence: Evidence) =>
  allChecks(suiteCase, evidence)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);

test('a limit itself is within the limit', (t) => {
  t.true(atLeast('x', 10, 10).holds);
  t.false(atLeast('x', 9, 10).holds);
  t.true(atMost('x', 10, 10).holds);
  t.false(atMost('x', 11, 10).holds);
  t.false(equal('x', '0', 0).holds);
});

test('a share is of the reference, and nothing is near nothing but nothing', (t) => {
  t.true(within('x', 104, 100, 0.05).holds);
  t.true(within('x', 96, 100, 0.05).holds);
  t.false(within('x', 106, 100, 0.05).holds);
  t.true(within('x', 0, 0, 0.05).holds);
  t.false(within('x', 1, 0, 0.05).holds);
  t.false(within('x', 1, Number.NaN, 0.05).holds);
});

test('notes are read as what they are', (t) => {
  t.is(numberOf(REPORT, 'free'), 1024);
  t.is(fieldOf(REPORT, 'then', 'actualBytes'), 7);
  for (const read of [
    () => numberOf(REPORT, 'none'),
    () => numberOf(REPORT, 'then'),
    () => fieldOf(REPORT, 'free', 'actualBytes'),
    () => fieldOf(REPORT, 'then', 'residentBytes'),
  ]) {
    t.throws(read, { instanceOf: NoteError });
  }
});

test('a good run holds', (t) => {
  t.deepEqual(wrong(CASE, EVIDENCE), []);
});

test('each way in which a run is bad is a check that does not hold', (t) => {
  const { replay } = EVIDENCE;
  const noted = (name: string) => ({
    ...EVIDENCE,
    report: {
      ...REPORT,
      notes: [note(BOOT_TROUBLE_NOTE, ''), note(name, '2'), note('what trouble', 'BUG: here')],
    },
  });
  t.deepEqual(wrong(CASE, { ...EVIDENCE, report: { ...REPORT, exitCode: 1 } }), ['exit code']);
  t.deepEqual(wrong(CASE, { ...EVIDENCE, replay: { ...replay, divergence: 'turn 1' } }), [
    'replay here',
  ]);
  t.deepEqual(wrong(CASE, { ...EVIDENCE, replay: { ...replay, turns: 0 } }), ['replay here']);
  t.deepEqual(wrong(CASE, noted(TROUBLE_NOTE)), ['lines of trouble in the guest log']);
  t.deepEqual(wrong(CASE, noted('other')), ['the notes']);
  t.deepEqual(wrong({ ...CASE, hasNoLog: true }, noted('other')), []);
  const early = {
    ...REPORT,
    notes: [note(BOOT_TROUBLE_NOTE, 'WARNING: x'), note(TROUBLE_NOTE, '0')],
  };
  t.deepEqual(wrong(CASE, { ...EVIDENCE, report: early }), ['trouble while it booted']);
  t.is(wrong(CASE, { ...EVIDENCE, report: { ...REPORT, bootFaults: 2 } }).length, 0);
  t.is(wrong(CASE, { ...EVIDENCE, report: { ...REPORT, bootFaults: 3 } }).length, 1);
  const unused = { ...EVIDENCE, report: { ...REPORT, unusedFaults: 1 } };
  t.deepEqual(wrong({ ...CASE, faults: () => {} }, unused), ['planned faults that never came']);
});

test('a missing note does not hide the other checks', (t) => {
  const checks = () => [atLeast('read', numberOf(REPORT, 'none'), 0)];
  t.deepEqual(wrong({ ...CASE, checks }, EVIDENCE), ['the notes']);
  t.true(allChecks({ ...CASE, checks }, EVIDENCE).some(({ what }) => what.startsWith('lines of')));
});

test('policy and guest agree only on the same figure', (t) => {
  t.true(agreement(EVIDENCE).holds);
  const { replay } = EVIDENCE;
  t.false(agreement({ ...EVIDENCE, replay: { ...replay, actualPages: 128 } }).holds);
  t.false(agreement({ ...EVIDENCE, replay: { ...replay, believedBytes: undefined } }).holds);
});

test('only a guest that was never up, on an emulated x86_64 processor, may begin again', (t) => {
  const shutdown = { end: { kind: 'shutdown' } as const, notes: [] };
  t.true(isBootFault('x86_64', shutdown));
  t.false(isBootFault('arm64', shutdown));
  t.false(isBootFault('x86_64', { ...shutdown, notes: [note('boot trouble', '')] }));
  t.false(isBootFault('x86_64', { end: { kind: 'panic', message: 'x' }, notes: [] }));
  t.false(isBootFault('x86_64', { end: undefined }));
});
