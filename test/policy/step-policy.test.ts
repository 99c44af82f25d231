import test from 'ava';
import fc from 'fast-check';
import { BYTES_PER_MIB, NS_PER_MS, NS_PER_S } from '../../src/hal/contract/units.js';
import { initialState, step, stepLimits } from '../../src/policy/step-policy.js';
import type { Observation, StepInput, StepState } from '../../src/policy/step-types.js';
import { type Policy, realPolicy, simulate } from './simulator.js';
import { POLICY_PROPERTIES } from './step-properties.js';

const MIB = BYTES_PER_MIB;
const NO_JITTER = { lowTimerMs: 0, freeFirstS: 0, freePeriodS: 0 };
const ROOMY: Observation = { status: 'read', availableMiB: 1_000_000, marginMiB: 50 };
const TIGHT: Observation = { status: 'read', availableMiB: 10, marginMiB: 50 };
const LOW: StepInput = { kind: 'low-memory', nowNs: 0, draws: NO_JITTER };
const LOW_TIMER: StepInput = { kind: 'low-memory-timer', nowNs: 0 };
const SENT: StepInput = { kind: 'send-result', nowNs: 0 };
const FAILED: StepInput = { kind: 'send-result', nowNs: 0, failure: 'EAGAIN' };

function freeTimer(observation?: Observation): StepInput {
  return { kind: 'free-memory-timer', nowNs: 0, observation };
}

function started(ramBytes: number, timeScale = 1): StepState {
  const input: StepInput = { kind: 'margin-read', nowNs: 0, observation: ROOMY };
  return step(initialState({ ramBytes, timeScale }), input).state;
}

function after(state: StepState, ...inputs: readonly StepInput[]): StepState {
  return inputs.reduce((previous, input) => step(previous, input).state, state);
}

function targets(result: ReturnType<typeof step>): number[] {
  return result.actions.flatMap((action) => (action.kind === 'send' ? [action.targetBytes] : []));
}

for (const property of POLICY_PROPERTIES) {
  test(`${property.id}: ${property.says}`, (t) => {
    fc.assert(property.of(realPolicy), { numRuns: 150, seed: 20180724 });
    t.pass();
  });
}

function withLimits(change: (limits: StepState['limits']) => Partial<StepState['limits']>): Policy {
  return {
    initial: (config) => {
      const state = initialState(config);
      return { ...state, limits: { ...state.limits, ...change(state.limits) } };
    },
    step,
  };
}

function withTimer(name: string, field: 'firstNs' | 'periodNs', valueNs: number): Policy {
  return {
    initial: initialState,
    step: (state, input) => {
      const result = step(state, input);
      const actions = result.actions.map((action) =>
        action.kind === 'arm-timer' && action.timer === name
          ? { ...action, [field]: valueNs }
          : action,
      );
      return { ...result, actions };
    },
  };
}

const MUTANTS: readonly (readonly [string, string, Policy])[] = [
  [
    'an increment of a fifteenth',
    'P1.1',
    withLimits((l) => ({ incrementBytes: Math.floor(l.maxBytes / 15) })),
  ],
  [
    'an increment of an eighth',
    'P1.b',
    withLimits((l) => ({ incrementBytes: Math.floor(l.maxBytes / 8) })),
  ],
  [
    'a maximum that is one byte too large',
    'P1.a',
    withLimits((l) => ({ maxBytes: l.maxBytes + 1 })),
  ],
  ['room for one increment only', 'P1.f', withLimits((l) => ({ roomMiB: l.roomMiB / 2 }))],
  ['a hold of 59 s', 'P1.d', withTimer('free-memory', 'firstNs', 59 * NS_PER_S)],
  ['a period of 60 s on the way down', 'P1.c', withTimer('free-memory', 'periodNs', 60 * NS_PER_S)],
  ['a pause of 900 ms between grows', 'P1.e', withTimer('low-memory', 'firstNs', 900 * NS_PER_MS)],
  ['a pause of 10 s without a balloon', 'P1.g', withTimer('low-memory', 'firstNs', 10 * NS_PER_S)],
];

for (const [what, id, mutant] of MUTANTS) {
  test(`${id} catches a policy with ${what}`, (t) => {
    const property = POLICY_PROPERTIES.find((candidate) => candidate.id === id);
    if (property === undefined) throw new Error(`no property ${id}`);
    const outcome = fc.check(property.of(mutant), { numRuns: 150, seed: 20180724 });
    t.true(outcome.failed);
  });
}

test('P1.c: without jitter the balloon is empty 510 s after the last event, with the most after 596 s', (t) => {
  for (const [fixedDraw, seconds] of [
    [0, 510],
    [1000, 596],
  ] as const) {
    const world = {
      lowSpans: [{ startNs: 0, endNs: 20 * NS_PER_S }],
      seed: 0,
      fixedDraw,
      observe: () => ROOMY,
    };
    const run = simulate(realPolicy, { ramBytes: 2048 * MIB }, world, 1000);
    const last = run.sent.at(-1);
    t.is(last?.targetBytes, 0);
    t.is(((last?.nowNs ?? 0) - (run.lowNs.at(-1) ?? 0)) / NS_PER_S, seconds);
  }
});

test('the derived numbers for each memory size, steps counted by growing', (t) => {
  const table = [
    [512 * MIB - 1, 0, 0, 0, 0],
    [512 * MIB, 256 * MIB, 16 * MIB, 32, 16],
    [1024 * MIB, 512 * MIB, 32 * MIB, 64, 16],
    [1536 * MIB - 1, 805306367, 50331647, 94, 17],
    [1536 * MIB, 512 * MIB, 32 * MIB, 64, 16],
    [2048 * MIB, 1024 * MIB, 64 * MIB, 128, 16],
    [4096 * MIB, 3072 * MIB, 192 * MIB, 384, 16],
    [8192 * MIB, 7168 * MIB, 448 * MIB, 896, 16],
    [16384 * MIB, 15360 * MIB, 960 * MIB, 1920, 16],
  ] as const;
  for (const [ramBytes, maxBytes, incrementBytes, roomMiB, steps] of table) {
    t.deepEqual(stepLimits(ramBytes), { maxBytes, incrementBytes, roomMiB });
    const world = {
      lowSpans: [{ startNs: 0, endNs: 60 * NS_PER_S }],
      seed: 7,
      observe: () => TIGHT,
    };
    t.is(simulate(realPolicy, { ramBytes }, world, 60).sent.length, steps);
  }
});

test('a low-memory event sends first, then stops listening and starts both timers', (t) => {
  const draws = { lowTimerMs: 199, freeFirstS: 11, freePeriodS: 5 };
  const { actions, why, state } = step(started(2048 * MIB), { ...LOW, draws });
  t.deepEqual(actions, [
    { kind: 'send', targetBytes: 64 * MIB },
    { kind: 'disarm-pressure' },
    { kind: 'arm-timer', timer: 'low-memory', firstNs: 1199 * NS_PER_MS, periodNs: 0 },
    { kind: 'arm-timer', timer: 'free-memory', firstNs: 71 * NS_PER_S, periodNs: 35 * NS_PER_S },
  ]);
  t.deepEqual(why, {
    rule: 'P1.1-grow',
    fromBytes: 0,
    toBytes: 64 * MIB,
    maxBytes: 1024 * MIB,
    incrementBytes: 64 * MIB,
    lowTimerNs: 1199 * NS_PER_MS,
    freeFirstNs: 71 * NS_PER_S,
    freePeriodNs: 35 * NS_PER_S,
  });
  t.false(state.listening);
  t.is(step(state, LOW).why.rule, 'not-wanted');
});

test('the time scale multiplies every duration', (t) => {
  const quick = started(2048 * MIB, 0.01);
  const { why } = step(quick, LOW);
  t.like(why, {
    lowTimerNs: 10 * NS_PER_MS,
    freeFirstNs: 600 * NS_PER_MS,
    freePeriodNs: 300 * NS_PER_MS,
  });
  const idle = step(initialState({ ramBytes: 0, timeScale: 0.01 }), {
    kind: 'margin-read',
    nowNs: 0,
    observation: { status: 'off' },
  });
  t.like(idle.why, { readAgainNs: 600 * NS_PER_MS });
});

test('room is needed exactly: one MiB less keeps the balloon', (t) => {
  const grown = after(started(2048 * MIB), LOW, SENT);
  const at = (availableMiB: number) =>
    step(grown, freeTimer({ status: 'read', availableMiB, marginMiB: 50 }));
  t.deepEqual(targets(at(50 + 128)), [0]);
  t.deepEqual(targets(at(50 + 127)), []);
  t.like(at(177).why, { rule: 'P1.3-not-enough-room', availableMiB: 177, neededMiB: 178 });
});

test('the free-memory timer stops once the balloon is empty, without a look at the figures', (t) => {
  const { actions, why } = step(started(2048 * MIB), freeTimer());
  t.deepEqual(actions, [{ kind: 'disarm-timer', timer: 'free-memory' }]);
  t.is(why.rule, 'P1.3-empty');
});

test('a failed grow: current stays what the device took, the next event sends the target again', (t) => {
  const decided = step(started(2048 * MIB), LOW).state;
  const failed = step(decided, FAILED);
  t.is(failed.state.currentBytes, 0);
  t.is(failed.state.unsentBytes, 64 * MIB);
  t.is(failed.actions.filter(({ kind }) => kind === 'say').length, 1);

  const again = step(failed.state, LOW_TIMER);
  t.deepEqual(targets(again), [64 * MIB]);
  const failedTwice = step(again.state, FAILED);
  t.deepEqual(failedTwice.actions, [], 'said once');

  const low = step(failedTwice.state, LOW);
  t.deepEqual(targets(low), [64 * MIB], 'the same step, not two');
  t.is(after(low.state, SENT).currentBytes, 64 * MIB);
});

test('a failed send is said again after one that worked', (t) => {
  const worked = after(started(2048 * MIB), LOW, FAILED, LOW_TIMER, SENT);
  t.is(worked.currentBytes, 64 * MIB);
  const failedLater = step(after(worked, LOW), FAILED);
  t.deepEqual(
    failedLater.actions.map(({ kind }) => kind),
    ['say'],
  );
});

test('a failed shrink is sent again while nothing newer is decided', (t) => {
  const grown = after(started(2048 * MIB), LOW, SENT, LOW_TIMER, LOW, SENT, LOW_TIMER);
  const failed = after(grown, freeTimer(ROOMY), FAILED);
  t.is(failed.currentBytes, 128 * MIB);
  t.deepEqual(targets(step(failed, freeTimer(TIGHT))), [64 * MIB]);
  t.deepEqual(targets(step(failed, freeTimer(ROOMY))), [64 * MIB], 'one step, not two');
  t.deepEqual(targets(step(failed, LOW)), [192 * MIB], 'low memory decides anew');
});

test('a first grow that never arrived is dropped once there is room', (t) => {
  const failed = after(started(2048 * MIB), LOW, FAILED, LOW_TIMER, FAILED);
  const { state, actions } = step(failed, freeTimer(ROOMY));
  t.deepEqual(actions, []);
  t.is(state.unsentBytes, undefined);
  t.is(step(state, freeTimer()).why.rule, 'P1.3-empty');
});

test('a margin that goes off makes the policy idle; back on, it takes up its way down', (t) => {
  const grown = after(started(2048 * MIB), LOW, SENT, LOW_TIMER);
  const off = step(grown, freeTimer({ status: 'off' }));
  t.is(off.state.mode, 'idle');
  t.deepEqual(
    off.actions.map(({ kind }) => kind),
    ['disarm-pressure', 'disarm-timer', 'disarm-timer', 'arm-timer', 'say'],
  );
  t.deepEqual(off.why, {
    rule: 'P1.6-margin-off',
    readAgainNs: 60 * NS_PER_S,
    sentAgainBytes: undefined,
  });
  const still = step(off.state, { kind: 'margin-read', nowNs: 0, observation: { status: 'off' } });
  t.deepEqual(still.actions, [], 'said once');
  const back = step(still.state, { kind: 'margin-read', nowNs: 0, observation: TIGHT });
  t.is(back.state.mode, 'active');
  t.is(back.state.currentBytes, 64 * MIB);
  t.true(
    back.actions.some((action) => action.kind === 'arm-timer' && action.timer === 'free-memory'),
  );
  t.true(back.state.listening);
});

test('figures that cannot be read disable the policy for good', (t) => {
  const grown = after(started(2048 * MIB), LOW, SENT);
  const gone = step(grown, freeTimer({ status: 'unreadable', reason: 'ENOENT' }));
  t.is(gone.state.mode, 'disabled');
  t.like(gone.actions.at(-1), { kind: 'say', message: 'policy disabled: ENOENT' });
  for (const input of [
    LOW,
    LOW_TIMER,
    freeTimer(),
    { kind: 'margin-read', nowNs: 0, observation: ROOMY },
  ] as const) {
    t.deepEqual(step(gone.state, input).actions, []);
  }
});

test('a configuration that makes no sense is refused', (t) => {
  t.throws(() => initialState({ ramBytes: -1 }), { instanceOf: RangeError });
  t.throws(() => initialState({ ramBytes: 1.5 }), { instanceOf: RangeError });
  for (const timeScale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => initialState({ ramBytes: 0, timeScale }), { instanceOf: RangeError });
  }
});
