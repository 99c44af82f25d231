import test from 'ava';
import { fakeThermometer, Watchdog, watchdogProgram } from '../../examples/thermometer.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { DivergenceError } from '../../src/index.js';
import { replayLane, runLane } from '../../src/run.js';

const clockNs = () => Number(process.hrtime.bigint());

async function record() {
  const sink = new TurnBuffer();
  const implementations = [fakeThermometer([91, 92.5, 93, 94])];
  const profile = { kind: 'recording' as const, implementations, clockNs, sink };
  const end = await runLane(watchdogProgram, 'main', {}, profile).ended;
  return { sink, end };
}

test('a contract of thirty lines is recorded and replayed without code of its own', async (t) => {
  const { sink, end } = await record();
  t.is(end.failure, undefined);
  t.is(end.turns, 4);

  const again = new TurnBuffer();
  const replayed = replayLane(watchdogProgram, 'main', {}, sink.source(), { sink: again });
  t.is(replayed.turns, 4);
  t.is(replayed.calls, 3);
  for (let turn = 0; turn < 4; turn++) t.deepEqual(again.turnBytes(turn), sink.turnBytes(turn));
});

test.serial(
  'a watchdog that reads another sensor diverges, and the report says where',
  async (t) => {
    const { sink } = await record();
    const start = Watchdog.prototype.start;
    t.teardown(() => {
      Watchdog.prototype.start = start;
    });
    Watchdog.prototype.start = function (this: Watchdog) {
      const inner = this as unknown as { thermometer: { read(args: { sensor: number }): number } };
      const { read } = inner.thermometer;
      inner.thermometer = { read: ({ sensor }) => read({ sensor: sensor + 1 }) };
      start.call(this);
    };
    const error = t.throws(() => replayLane(watchdogProgram, 'main', {}, sink.source()), {
      instanceOf: DivergenceError,
    });
    t.is(error.report.kind, 'different-argument');
    t.is(error.report.turn, 1);
    t.is(error.report.call, 0);
    t.deepEqual(
      error.report.differences.map(({ field, expected, actual }) => [field, expected, actual]),
      [['sensor', '2', '3']],
    );
  },
);
