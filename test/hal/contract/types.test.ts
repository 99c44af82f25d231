import test from 'ava';
import { byteRanges, bytes, out } from '../../../src/hal/contract/arrays.js';
import { milli, oneOf, optional, u8, u32 } from '../../../src/hal/contract/codec.js';
import {
  call,
  defineHal,
  event,
  type HalEvents,
  type HalOf,
  sizeInBytes,
} from '../../../src/hal/contract/define.js';
import { implement } from '../../../src/hal/contract/implementation.js';
import type { Bytes, Nanoseconds } from '../../../src/hal/contract/units.js';
import type { Reactor } from '../../../src/reactor/reactor.js';

const Sensor = defineHal('sensor', {
  read: call({ sensor: u8 }, { returns: milli('celsius') }),
  reset: call({}),
  describe: call({ sensor: u8 }, { returns: { size: sizeInBytes, kind: oneOf('ntc', 'ptc') } }),
  dump: call({ at: sizeInBytes, into: out(bytes), note: optional(u32) }),
  release: call(
    { ranges: byteRanges, space: u8 },
    { effect: { kind: 'release', space: (a) => a.space, ranges: (a) => a.ranges } },
  ),
  overheated: event({ sensor: u8, reading: milli('celsius') }),
});
type Sensor = HalOf<typeof Sensor>;

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Claim extends true>(claim?: Claim): Claim | undefined => claim;

// Checked by the compiler: a line below an @ts-expect-error that compiles fails the build.
function mustNotCompile(sensor: Sensor, reactor: Reactor, time: Nanoseconds): void {
  holds<Same<keyof Sensor, 'read' | 'reset' | 'describe' | 'dump' | 'release'>>();
  holds<Same<ReturnType<Sensor['read']>, number>>();
  holds<Same<ReturnType<Sensor['reset']>, void>>();
  holds<Same<Parameters<Sensor['reset']>, []>>();
  holds<Same<ReturnType<Sensor['describe']>['kind'], 'ntc' | 'ptc'>>();
  holds<Same<ReturnType<Sensor['describe']>['size'], Bytes>>();
  holds<Same<keyof HalEvents<typeof Sensor>, 'overheated'>>();
  holds<Same<HalEvents<typeof Sensor>['overheated']['reading'], number>>();

  sensor.read({ sensor: 1 });
  sensor.dump({ at: 0, into: new Uint8Array(1), note: undefined });
  // @ts-expect-error a number is wanted
  sensor.read({ sensor: '1' });
  // @ts-expect-error an argument is missing
  sensor.read({});
  // @ts-expect-error no such argument
  sensor.read({ sensor: 1, unit: 'K' });
  // @ts-expect-error arguments have names
  sensor.read(1);
  // @ts-expect-error the call has no arguments
  sensor.reset({ hard: true });
  // @ts-expect-error nanoseconds are no bytes
  sensor.dump({ at: time, into: new Uint8Array(1), note: undefined });
  // @ts-expect-error a buffer is wanted
  sensor.dump({ at: 0, into: 16, note: undefined });
  // @ts-expect-error an event is no call
  sensor.overheated({ sensor: 1, reading: 1 });
  // @ts-expect-error one of the names is wanted
  holds<Same<ReturnType<Sensor['describe']>['kind'], string>>();
  reactor.on(Sensor, 'overheated', undefined, ({ reading }) => void reading.toFixed());
  // @ts-expect-error a call is no event
  reactor.on(Sensor, 'read', undefined, () => {});
  // @ts-expect-error the payload has no such field
  reactor.on(Sensor, 'overheated', undefined, ({ pressure }) => void pressure);
  implement(Sensor, (emit) => {
    emit.overheated({ sensor: 1, reading: 90 });
    // @ts-expect-error a field of the payload is missing
    emit.overheated({ sensor: 1 });
    const rest = { reset: () => {}, dump: () => {}, release: () => {} };
    return { ...rest, read: () => 1, describe: () => ({ size: 1, kind: 'ntc' }) };
  });
  // @ts-expect-error calls are missing
  implement(Sensor, () => ({ read: () => 1, reset: () => {} }));
  const sound = { read: () => 1, reset: () => {}, dump: () => {}, release: () => {} };
  // @ts-expect-error one of the names is wanted
  implement(Sensor, () => ({ ...sound, describe: () => ({ size: 1, kind: 'thermocouple' }) }));
  // @ts-expect-error a number is wanted
  implement(Sensor, () => ({ ...sound, read: () => 'hot', describe: sensor.describe }));
  defineHal('other', {
    // @ts-expect-error the effect names an argument that is not there
    bad: call({ a: u8 }, { effect: { kind: 'read', space: (args) => args.b } }),
  });
}

test('the interface inferred from a declaration refuses what does not fit it', (t) => {
  // The proof is that this file compiles; this keeps the declaration and the function from being empty shells.
  t.is(mustNotCompile.length, 3);
  t.deepEqual(
    Sensor.calls.map((spec) => spec.name),
    ['read', 'reset', 'describe', 'dump', 'release'],
  );
});
