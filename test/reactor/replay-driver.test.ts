import test from 'ava';
import { u8 } from '../../src/hal/contract/codec.js';
import { call, defineHal, event } from '../../src/hal/contract/define.js';
import { implement } from '../../src/hal/contract/implementation.js';
import { TurnSchema } from '../../src/hal/contract/schema.js';
import { WireError } from '../../src/hal/contract/wire.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { TurnEncoder } from '../../src/hal/record/turn-encoder.js';
import { EffectsMatcher } from '../../src/hal/replay/effects-matcher.js';
import { Toy } from '../hal/contract/toy.js';
import { recording, replaying, type TestProgram } from '../hal/harness.js';

const side = implement(Toy, () => ({
  plain: ({ a, b }) => a + b,
  nothing: () => {},
  several: () => ({ low: 0, high: 0n, level: 'on' }),
  fill: () => true,
  maybe: () => ({ count: undefined, reply: undefined }),
  find: () => undefined,
  lists: () => [],
  answer: () => {},
}));

const program: TestProgram = ({ get, reactor }) => {
  reactor.on(Toy, 'reading', undefined, ({ sensor }) => get(Toy).plain({ a: sensor, b: 7 }));
};

/** Start-up and seven turns, alike but for their numbers. */
function recorded(): TurnBuffer {
  const run = recording([Toy], [side]);
  run.start(program);
  for (let turn = 1; turn < 8; turn++) run.emit(Toy).reading({ sensor: 1, celsius: 0 });
  return run.buffer;
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

/** A lane of the recorded turns at these positions. */
function laneOf(positions: readonly number[]): TurnBuffer {
  const from = recorded();
  const lane = new TurnBuffer();
  for (const position of positions) {
    const bytes = from.turnBytes(position);
    lane.turn(position, 0, bytes, bytes.length);
  }
  return lane;
}

test('turns one after the other replay', (t) => {
  t.is(replaying([Toy], laneOf(ALL), program).end.turns, 8);
});

const DISORDERS: readonly (readonly [string, readonly number[], string])[] = [
  [
    'one is missing',
    ALL.filter((turn) => turn !== 6),
    'turn 7 stands where turn 6 should be: turns are missing',
  ],
  [
    'one comes twice',
    [0, 1, 2, 3, 4, 5, 5, 6, 7],
    'turn 5 stands where turn 6 should be: turns come again',
  ],
  [
    'two are swapped',
    [0, 1, 2, 4, 3, 5, 6, 7],
    'turn 4 stands where turn 3 should be: turns are missing',
  ],
  ['start-up is missing', [1, 2, 3], 'turn 1 stands where turn 0 should be: turns are missing'],
];

for (const [name, positions, message] of DISORDERS) {
  test(`a lane is refused with its position if ${name}`, (t) => {
    const lane = laneOf(positions);
    const error = t.throws(() => replaying([Toy], lane, program), { instanceOf: WireError });
    t.is(error?.message, message);
    const at = positions.findIndex((position, index) => position !== index);
    const before = positions.slice(0, at).map((position) => recorded().turnBytes(position).length);
    t.is(
      error?.position,
      before.reduce((sum, length) => sum + length, 0),
    );
    t.throws(() => replaying([Toy], lane, program, (s) => new EffectsMatcher(s, 'main')), {
      instanceOf: WireError,
    });
  });
}

test('start-up has no event, and every other turn has one', (t) => {
  const encoded = (number: number, withEvent: boolean): TurnBuffer => {
    const lane = number === 0 ? new TurnBuffer() : laneOf([0]);
    const encoder = new TurnEncoder(new TurnSchema([Toy]), lane);
    const spec = Toy.events.find((event) => event.name === 'bare');
    encoder.begin(number, 0, withEvent ? spec : undefined, withEvent ? {} : undefined);
    encoder.end();
    return lane;
  };
  const refuse = (lane: TurnBuffer) => t.throws(() => replaying([Toy], lane, program));
  t.is(refuse(encoded(0, true))?.message, 'turn 0 has an event, and is start-up');
  t.is(refuse(encoded(1, false))?.message, 'turn 1 has no event, and is no start-up');
  t.is(replaying([Toy], encoded(1, true), program).end.turns, 2);
});

test('a call that is not encoded as declared is the trace’s fault, and no divergence', (t) => {
  const ping = event({});
  const Wider = defineHal('gauge', { read: call({}, { returns: { low: u8, high: u8 } }), ping });
  const Gauge = defineHal('gauge', { read: call({}, { returns: { low: u8 } }), ping });
  const run = recording([Wider], [implement(Wider, () => ({ read: () => ({ low: 1, high: 2 }) }))]);
  run.start(({ get }) => get(Wider).read());
  const error = t.throws(() => replaying([Gauge], run.buffer, ({ get }) => get(Gauge).read()), {
    instanceOf: WireError,
  });
  t.is(error?.message, 'the recorded call of gauge.read is not encoded as declared');
});
