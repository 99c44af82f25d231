import test from 'ava';
import { Clock } from '../../src/hal/clock.js';
import type { HalOf } from '../../src/hal/contract/define.js';
import { NS_PER_S } from '../../src/hal/contract/units.js';
import { ConfigError } from '../../src/program.js';
import { parseScenario, type ScenarioStep } from '../../src/programs/scenario.js';
import { type ScenarioNote, ScenarioRun } from '../../src/programs/scenario-run.js';
import type { EventSource } from '../../src/reactor/reactor.js';

const MIB_PAGES = 256;

/** A run over a host that writes down what is done to it. */
function play(steps: readonly ScenarioStep[], stepTimeoutSeconds = 10) {
  const log: string[] = [];
  const notes: ScenarioNote[] = [];
  const answers: ((stats: Record<string, number>) => void)[] = [];
  let expired = () => {};
  let armedNs: number | undefined;
  const clock = {
    createTimer: () => 1,
    arm: ({ first }: { first: number }) => {
      armedNs = first;
    },
    disarm: () => {
      armedNs = undefined;
    },
    closeTimer: () => void log.push('closed'),
  } as unknown as HalOf<typeof Clock>;
  const time = { nowNs: 5 * NS_PER_S };
  const events = {
    get nowNs() {
      return time.nowNs;
    },
    on: (_contract: unknown, _name: string, _key: number, handler: () => void) => {
      expired = handler;
      return () => {};
    },
    stop: () => {},
  } as unknown as EventSource;
  const run = new ScenarioRun({ steps, stepTimeoutSeconds }, clock, events, {
    type: (data) => log.push(`type ${new TextDecoder().decode(data)}`),
    setBalloon: (target) => log.push(`balloon ${target}`),
    residentBytes: () => 4096,
    requestStats: (answered) => answers.push(answered),
    killDevice: () => log.push('kill'),
    finish: (end) => log.push(JSON.stringify(end)),
    noted: (note) => notes.push(note),
  });
  return { run, log, notes, answers, time, armed: () => armedNs, expire: () => expired() };
}

test('steps that do not wait are done at once, up to the first that does', (t) => {
  const { log, armed, expire } = play([
    { type: 'ls' },
    { balloonMiB: 64 },
    { killDevice: true },
    { seconds: 2 },
    { type: 'never yet' },
  ]);
  t.deepEqual(log, ['type ls\n', 'balloon 64', 'kill']);
  t.is(armed(), 2 * NS_PER_S);
  expire();
  t.is(log.at(-1), 'type never yet\n');
});

test('a line that matches ends the wait, and its group is noted with the time', (t) => {
  const { run, notes, log, time } = play([
    { waitLine: 'MemFree: +(\\d+) kB', as: 'free' },
    { waitLine: 'exit', as: 'all' },
    { stop: true },
  ]);
  run.line('guest: up');
  t.deepEqual(notes, []);
  time.nowNs += 1.5 * NS_PER_S;
  run.line('MemFree:   123 kB');
  run.line('MemFree:   999 kB');
  run.line('guest: exit 0');
  t.deepEqual(notes, [
    { name: 'free', seconds: 1.5, value: '123' },
    { name: 'all', seconds: 1.5, value: 'exit' },
  ]);
  t.deepEqual(log, ['{"kind":"stopped","why":"the scenario is done"}']);
});

test('a balloon that holds what is waited for already does not wait', (t) => {
  const { run, log } = play([
    { waitActualMiB: 0 },
    { type: 'a' },
    { waitActualMiB: 2 },
    { measure: 'm' },
    { type: 'b' },
  ]);
  t.deepEqual(log, ['type a\n']);
  run.actual(MIB_PAGES);
  t.is(log.length, 1);
  run.actual(2 * MIB_PAGES);
  t.is(log.at(-1), 'type b\n');
});

test('what is measured and what the guest answers is noted', (t) => {
  const { run, notes, answers } = play([
    { measure: 'before' },
    { stats: 's' },
    { measure: 'after' },
  ]);
  run.actual(MIB_PAGES);
  answers[0]?.({ freeBytes: 7 });
  answers[0]?.({ freeBytes: 8 });
  t.deepEqual(
    notes.map(({ name, value }) => [name, value]),
    [
      ['before', { residentBytes: 4096, actualBytes: 0 }],
      ['s', { freeBytes: 7 }],
      ['after', { residentBytes: 4096, actualBytes: 1 << 20 }],
    ],
  );
});

test('a step that takes too long ends the run as failed, and says which', (t) => {
  const { log, armed, expire } = play([{ type: 'x' }, { waitLine: 'never' }], 3);
  t.is(armed(), 3 * NS_PER_S);
  expire();
  t.regex(log[1] ?? '', /scenario-failed.*step 2 .*never.* longer than 3 s/);
});

test('after the end nothing is done any more', (t) => {
  const { run, log, expire } = play([{ waitLine: 'a' }, { type: 'x' }]);
  run.stop();
  run.stop();
  run.line('a');
  expire();
  t.deepEqual(log, ['closed']);
});

for (const [what, given, says] of [
  ['no object', 5, /object with "steps"/],
  ['an unknown key', { stepz: [] }, /no "stepz"/],
  ['no list', { steps: {} }, /must be a list/],
  ['no time', { stepTimeoutSeconds: 0 }, /above 0/],
  [
    'a step of an unknown kind',
    { steps: [{ stop: true }, { sleep: 1 }] },
    /steps\[1\] must be one of/,
  ],
  ['no step', { steps: [null] }, /steps\[0\]/],
  ['a bad pattern', { steps: [{ waitLine: '(' }] }, /steps\[0\]/],
  ['a negative balloon', { steps: [{ balloonMiB: -1 }] }, /steps\[0\]/],
  ['two things at once', { steps: [{ type: 'a', stop: true }] }, /more than one thing/],
  ['a name where none is used', { steps: [{ type: 'a', as: 'b' }] }, /more than one thing/],
] as const) {
  test(`${what} is refused as configuration`, (t) => {
    const error = t.throws(() => parseScenario(given), { instanceOf: ConfigError });
    t.regex(error?.message ?? '', says);
  });
}

test('a whole scenario is taken as it is', (t) => {
  const steps: ScenarioStep[] = [{ waitLine: 'up', as: 'up' }, { seconds: 0.5 }, { stop: true }];
  t.deepEqual(parseScenario({ steps }), { steps, stepTimeoutSeconds: 120 });
});
