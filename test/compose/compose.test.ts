import test, { type ExecutionContext } from 'ava';
import { hardware } from '../../src/cli/hardware.js';
import { type ComposedLane, composeLane, type Profile } from '../../src/compose.js';
import type { CallSpec } from '../../src/hal/contract/define.js';
import { HalError } from '../../src/hal/contract/errors.js';
import { TurnSchema } from '../../src/hal/contract/schema.js';
import { CONTRACTS } from '../../src/hal/contract-list.js';
import { Entropy } from '../../src/hal/entropy.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { ExactMatcher } from '../../src/hal/replay/exact-matcher.js';
import { decodeTurn } from '../../src/hal/replay/turn-decoder.js';
import { Script } from '../../src/hal/scripted/script.js';
import { replayTurns } from '../../src/reactor/replay-driver.js';
import { nativeTest } from '../hal/native/native-rig.js';
import {
  expectedOf,
  type Journal,
  labelOf,
  newJournal,
  PlannedHardware,
  programOf,
} from './every-contract.js';
import { type PlannedCall, planFor, resultOf } from './plan.js';

const PLAN = planFor(CONTRACTS);
const CALLS = CONTRACTS.flatMap((contract) => contract.calls);
const clockNs = () => 1000;

interface Run {
  readonly lane: ComposedLane;
  readonly journal: Journal;
}

function compose(profile: Profile): Run {
  const journal = newJournal();
  return { lane: composeLane(programOf(PLAN, journal), 'main', undefined, profile), journal };
}

/** Runs the plan on a profile that is not replaying, to its end. */
function runPlan(t: ExecutionContext, { lane }: Run, speak: () => void): void {
  const ends: unknown[] = [];
  lane.reactor.start(lane.setUp, (end) => ends.push(end.failure));
  speak();
  t.deepEqual(ends, [undefined]);
}

function recordPlan(t: ExecutionContext) {
  const sink = new TurnBuffer();
  const side = new PlannedHardware(PLAN);
  const run = compose({ kind: 'recording', implementations: side.implementations, clockNs, sink });
  return { run, sink, side, go: () => runPlan(t, run, () => side.speak()) };
}

function replayOf(turns: TurnBuffer) {
  const matcher = new ExactMatcher(new TurnSchema(CONTRACTS), 'main');
  const run = compose({ kind: 'replaying', matcher });
  const go = () => replayTurns(run.lane.reactor, matcher, turns.source(), run.lane.setUp);
  return { run, go };
}

function scriptOfPlan(): Script {
  const script = new Script();
  const expect = (call: PlannedCall) => {
    const { spec, args, error, fills } = call;
    const step = script.expect(spec.contract, spec.name as never, ...([args] as never));
    if (error !== undefined) step.throws(error.code, error.errno, error.syscall);
    else {
      step.fills(fills as never);
      if (spec.results.length > 0) step.returns(resultOf(call) as never);
    }
  };
  PLAN.calls.forEach(expect);
  for (const { spec, payload, answer } of PLAN.events) {
    script.event(spec.contract, spec.name as never, payload as never);
    if (answer !== undefined) expect(answer);
  }
  return script;
}

function scripted() {
  const script = scriptOfPlan();
  const implementations = CONTRACTS.map((contract) => script.implementation(contract));
  return { script, run: compose({ kind: 'scripted', implementations, clockNs }) };
}

/** What is injected has each declared call and nothing else, and is what the lane says it bound. */
function checkTokens(t: ExecutionContext, { lane, journal }: Run): void {
  t.deepEqual([...journal.injected.keys()], [...CONTRACTS]);
  for (const contract of CONTRACTS) {
    const bound = journal.injected.get(contract) ?? {};
    t.is(bound, lane.hal.get(contract) as typeof bound, contract.halName);
    t.deepEqual(
      Object.entries(bound).map(([name, method]) => [name, typeof method]),
      contract.calls.map(({ name }) => [name, 'function']),
    );
  }
}

/** No call gets through while no turn is under way. */
function checkOutsideTurn(t: ExecutionContext, { lane }: Run): void {
  for (const { contract, name } of CALLS) {
    const bound = lane.hal.get(contract) as Record<string, () => unknown>;
    const error = t.throws(() => bound[name]?.(), { instanceOf: HalError });
    t.is(error?.code, 'OUTSIDE_TURN');
    t.true(error?.message.startsWith(`${contract.halName}.${name} `), error?.message);
  }
}

const planned = [...PLAN.calls, ...PLAN.events.flatMap(({ answer }) => answer ?? [])];
/** The calls of the plan as hardware sees them. */
const ASKED = planned.map(({ spec, args }) => ({ label: labelOf(spec), args }));

test('the plan has every call and every event of every contract', (t) => {
  const labels = new Set(planned.map(({ spec }) => labelOf(spec)));
  t.deepEqual([...labels].sort(), CALLS.map(labelOf).sort());
  const events = new Set(PLAN.events.map(({ spec }) => labelOf(spec)));
  t.is(events.size, CONTRACTS.flatMap((contract) => contract.events).length);
});

test('native: each token is bound to the implementation given', (t) => {
  const side = new PlannedHardware(PLAN);
  const run = compose({ kind: 'native', implementations: side.implementations, clockNs });
  checkOutsideTurn(t, run);
  runPlan(t, run, () => side.speak());
  checkTokens(t, run);
  t.deepEqual(side.reached, ASKED);
  t.deepEqual(run.journal.seen, expectedOf(PLAN));
  checkOutsideTurn(t, run);
  t.is(side.reached.length, ASKED.length);
});

test('recording: each token is bound to the implementation given, and to the trace', (t) => {
  const { run, sink, side, go } = recordPlan(t);
  checkOutsideTurn(t, run);
  go();
  checkTokens(t, run);
  t.deepEqual(side.reached, ASKED);
  t.deepEqual(run.journal.seen, expectedOf(PLAN));
  checkOutsideTurn(t, run);
  const schema = new TurnSchema(CONTRACTS);
  const turns = Array.from({ length: sink.turnCount }, (_, at) =>
    decodeTurn(schema, sink.turnBytes(at)),
  );
  t.is(turns.length, 1 + PLAN.events.length);
  const recorded = turns.flatMap(({ calls }) => calls);
  t.deepEqual(
    recorded.map(({ spec, outcome }) => [labelOf(spec), outcome.kind]),
    planned.map(({ spec, error }) => [labelOf(spec), error === undefined ? 'result' : 'error']),
  );
  t.deepEqual(
    turns.slice(1).map(({ event }) => event),
    PLAN.events.map(({ spec, payload }) => ({ spec, payload })),
  );
});

test('replaying: each token is answered from the recording, and no implementation is there', (t) => {
  const recorded = recordPlan(t);
  recorded.go();
  const { run, go } = replayOf(recorded.sink);
  checkOutsideTurn(t, run);
  const end = go();
  t.is(end.failure, undefined);
  t.is(end.calls, planned.length);
  checkTokens(t, run);
  t.deepEqual(run.journal.seen, expectedOf(PLAN));
  t.deepEqual(recorded.side.reached, ASKED, 'the hardware of the recording was asked once');
  checkOutsideTurn(t, run);
});

test('scripted: each token consumes its expectations', (t) => {
  const { script, run } = scripted();
  checkOutsideTurn(t, run);
  t.throws(() => script.done(), { code: 'LEFTOVER_EXPECTATIONS' });
  runPlan(t, run, () => script.play(run.lane.reactor));
  checkTokens(t, run);
  t.deepEqual(run.journal.seen, expectedOf(PLAN));
  t.notThrows(() => script.done());
  checkOutsideTurn(t, run);
});

for (const kind of ['native', 'recording', 'scripted'] as const) {
  test(`${kind}: a missing binding's error names the contract`, (t) => {
    const { implementations } = new PlannedHardware(PLAN);
    for (const contract of CONTRACTS) {
      const others = implementations.filter((each) => each.contract !== contract);
      const sink = new TurnBuffer();
      const error = t.throws(() => compose({ kind, implementations: others, clockNs, sink }), {
        instanceOf: HalError,
      });
      t.is(error?.code, 'MISSING_BINDING');
      t.true(error?.message.includes(`"${contract.halName}"`), error?.message);
    }
  });
}

test('a token whose contract the program does not list: the error names it', (t) => {
  const { implementations } = new PlannedHardware(PLAN);
  for (const contract of CONTRACTS) {
    const others = CONTRACTS.filter((each) => each !== contract);
    const program = programOf(PLAN, newJournal(), others);
    const lane = composeLane(program, 'main', undefined, {
      kind: 'native',
      implementations,
      clockNs,
    });
    const error = t.throws(lane.setUp);
    t.true(error?.message.includes((contract as unknown as { name: string }).name), error?.message);
  }
});

nativeTest(
  'native and recording, over this machine: each token is bound to real hardware',
  async (t) => {
    const lanes = { command: () => ({ file: 'none', args: [] }) };
    const sink = new TurnBuffer();
    for (const profile of [{ kind: 'native' }, { kind: 'recording', sink }] as const) {
      const implementations = await hardware({ lanes });
      const run = compose({ ...profile, implementations, clockNs });
      try {
        checkOutsideTurn(t, run);
        t.is(run.lane.hal.size, CONTRACTS.length);
        runReal(t, run);
      } finally {
        run.lane.dispose();
      }
    }
    t.is(sink.turnCount, 1);
  },
);

const OTHER_ARCHITECTURES = new Set(['kvm.preferredTarget', 'kvm.initVcpu']);

/** Every call that takes an argument refuses to go without; and one that works anywhere works. */
function runReal(t: ExecutionContext, { lane }: Run): void {
  const failures: unknown[] = [];
  lane.reactor.start(
    () => {
      lane.reactor.stop();
      for (const spec of CALLS) {
        const bound = lane.hal.get(spec.contract) as Record<string, (args: object) => unknown>;
        if (spec.args.length > 0) refusesNothing(t, spec, () => bound[spec.name]?.({}));
      }
      const entropy = lane.hal.get(Entropy) as Entropy;
      t.is(entropy.uniform({ below: 1 }), 0);
    },
    ({ failure }) => failures.push(failure),
  );
  t.deepEqual(failures, [undefined]);
}

function refusesNothing(t: ExecutionContext, spec: CallSpec, call: () => unknown): void {
  const error = t.throws(call, { instanceOf: HalError }, labelOf(spec));
  const codes: string[] = [
    spec.definition.options.answers === undefined ? 'INVALID_ARGUMENT' : 'NOT_WAITING',
  ];
  // What another architecture's KVM has is refused on this one whatever it is given.
  if (OTHER_ARCHITECTURES.has(labelOf(spec))) codes.push('UNSUPPORTED');
  t.true(codes.includes(error?.code ?? ''), error?.message);
}
