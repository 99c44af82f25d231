import { spawnSync } from 'node:child_process';
import test from 'ava';
import { SUITE } from '../../../lab/suite/cases.js';
import { replayHere } from '../../../lab/suite/replay-here.js';
import { countLine, outcomeLines, verdictOf } from '../../../lab/suite/report.js';
import { suiteScript } from '../../../lab/suite/run-suite.js';
import { parseTestLab } from '../../../lab/test-lab-options.js';
import { GUEST_ARCHITECTURES } from '../../../src/guest-image/architecture.js';
import { Faults } from '../../../src/hal/scripted/faults.js';
import { parseBalloonConfig } from '../../../src/programs/balloon-config.js';

const CHECK = { what: 'a figure', figure: '1 MiB', limit: 'at most 2 MiB', holds: true };
const outcome = (name: string, holds: boolean) => ({
  name,
  seconds: 7,
  checks: [{ ...CHECK, holds }],
});

/** All that is typed in any case. */
const typed = new Set(
  GUEST_ARCHITECTURES.flatMap((arch) =>
    SUITE.flatMap(({ config }) => parseBalloonConfig(config(arch)).scenario.steps),
  ).flatMap((step) => ('type' in step ? [step.type] : [])),
);

/** The guest's terminal takes no longer line. */
const LINE_LIMIT = 4095;

test('every case has a name of its own and a configuration that the program takes', (t) => {
  t.is(new Set(SUITE.map(({ name }) => name)).size, SUITE.length);
  for (const arch of GUEST_ARCHITECTURES) {
    for (const { name, config, faults } of SUITE) {
      t.regex(name, /^[a-z-]+$/);
      const { scenario } = parseBalloonConfig(config(arch));
      for (const step of scenario.steps) {
        if (!('type' in step)) continue;
        t.true(step.type.length < LINE_LIMIT, `${name}: ${step.type}`);
        t.notRegex(step.type, /[\r\n]/, `${name}: the guest reads it as two lines`);
      }
      t.notThrows(() => faults?.(new Faults()), name);
    }
  }
});

test('what is typed is whole commands for a shell', (t) => {
  if (process.platform === 'win32') {
    t.log('skipped: Windows has no sh');
    t.pass();
    return;
  }
  t.true(typed.size > 10);
  for (const command of typed) {
    const { status, stderr } = spawnSync('sh', ['-n', '-c', command], { encoding: 'utf8' });
    t.is(status, 0, `${command}: ${stderr}`);
  }
});

test('a case that did not run has failed', (t) => {
  t.is(verdictOf({ name: 'x', seconds: undefined, checks: [] }), 'failed');
  t.is(verdictOf({ name: 'x', seconds: undefined, checks: [], skip: 'no such thing' }), 'skipped');
  t.is(verdictOf(outcome('x', true)), 'passed');
  t.is(verdictOf({ name: 'x', seconds: 1, checks: [CHECK, { ...CHECK, holds: false }] }), 'failed');
});

test('each figure has a line with its limit, and the last line counts the cases', (t) => {
  t.deepEqual(outcomeLines(outcome('one', false)), [
    'failed  one (7 s)',
    '  NOT a figure: 1 MiB (at most 2 MiB)',
  ]);
  t.deepEqual(outcomeLines({ name: 'two', seconds: undefined, skip: 'why', checks: [] }), [
    'skipped  two: why',
  ]);
  t.is(countLine([outcome('a', true), outcome('b', false)]), '1 passed, 1 failed, 0 skipped');
});

test('the rest of the cases goes on in another process, and not for ever', (t) => {
  t.is(
    suiteScript('arm64', [{ name: 'one' }, { name: 'two' }]),
    'for try in 1 2; do node dist/lab/suite/in-host.js arm64 one two && exit 0; ' +
      'echo "lab: it ended with $?"; dmesg | tail -n 20; done; exit 1',
  );
});

test('the command line', (t) => {
  t.deepEqual(parseTestLab([]), {
    architectures: ['x86_64', 'arm64'],
    smoke: false,
    only: [],
    keep: undefined,
  });
  t.deepEqual(parseTestLab(['arm64', '--smoke', '--keep', 'here']), {
    architectures: ['arm64'],
    smoke: true,
    only: [],
    keep: 'here',
  });
  for (const bad of [
    ['sparc'],
    ['--only', 'nothing'],
    ['--what'],
    ['--smoke', '--only', 'inflate'],
  ]) {
    t.is(typeof parseTestLab(bad), 'string', bad.join(' '));
  }
});

test("a replay tells what the policy believed and the device's restarts", (t) => {
  const pressure = replayHere('recordings/pressure-and-recovery/run.mcap');
  t.is(pressure.divergence, undefined);
  t.is(pressure.believedBytes, 0);
  t.is(pressure.actualPages, 0);
  const killed = replayHere('recordings/device-killed/run.mcap');
  t.deepEqual(killed.lanes, ['main', 'device', 'device#2']);
  t.is(killed.notices.filter((notice) => notice.includes('started again')).length, 1);
});
