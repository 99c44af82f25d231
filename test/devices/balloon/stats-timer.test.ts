import test from 'ava';
import { StatsTimer } from '../../../src/devices/balloon/stats-timer.js';
import { boot, LIST, makeMachine, statsRecord } from '../harness.js';

const SECOND = 1_000_000_000;

/** A balloon with a clock that the test moves. */
function setup(statsIntervalNs: number) {
  const events = {
    nowNs: 1000,
    on: (_contract: unknown, _name: unknown, _key: unknown, handler: unknown) => {
      expire = handler as () => void;
      return () => {
        expire = undefined;
      };
    },
  };
  let expire: (() => void) | undefined;
  let armedNs: number | undefined;
  let timers = 0;
  const clock = {
    now: () => events.nowNs,
    createTimer: () => ++timers,
    arm: ({ first, period }: { first: number; period: number }) => {
      if (first < 1 || period !== 0) throw new Error(`armed for ${first}, ${period}`);
      armedNs = events.nowNs + first;
    },
    disarm: () => {},
    closeTimer: () => {
      armedNs = undefined;
    },
  };
  const machine = makeMachine({ statsIntervalNs, statsTimeoutNs: 3 * SECOND });
  boot(machine);
  const timer = new StatsTimer(clock, events, machine.device);
  /** Lets the time pass until the timer has expired, if it is armed. */
  const elapse = () => {
    if (armedNs === undefined) return false;
    events.nowNs = armedNs;
    armedNs = undefined;
    expire?.();
    return true;
  };
  const post = (free: number) => {
    machine.guest.write(LIST, Uint8Array.from(statsRecord(4, free)));
    machine.stats.post({ address: LIST, length: 10 });
    machine.driver.kick(2);
  };
  return { machine, timer, events, elapse, post, armed: () => armedNs, timers: () => timers };
}

test('on demand: the timer runs while an answer is due, and ends the wait', (t) => {
  const { machine, timer, elapse, post, armed, timers } = setup(0);
  t.is(timer.request(), 'not-ready');
  t.is(timers(), 0, 'no timer is made for nothing');
  post(1);
  t.is(timer.request(), 1);
  t.is(armed(), 1000 + 3 * SECOND);
  post(2);
  t.true(elapse());
  t.deepEqual(machine.failures, []);
  t.false(elapse(), 'nothing is due any more');
  t.is(timer.request(), 2);
  t.true(elapse());
  t.deepEqual(machine.failures, [{ request: 2, reason: 'timed-out' }]);
  t.is(timers(), 1);
});

test('polled: at once, then once an interval, however often somebody asks besides', (t) => {
  const { machine, timer, events, elapse, post, armed } = setup(2 * SECOND);
  post(1);
  timer.poll();
  t.is(armed(), 1001);
  elapse();
  post(2);
  t.is(machine.samples.length, 1);
  t.is(armed(), 1001 + 2 * SECOND);
  events.nowNs += SECOND;
  timer.request();
  post(3);
  t.is(armed(), 1001 + 2 * SECOND, 'a request does not put the poll off');
  elapse();
  post(4);
  t.deepEqual(
    machine.samples.map(({ stats }) => stats.freeBytes),
    [2, 3, 4],
  );
  t.is(machine.device.metrics.statsPolls, 2);
});

test('polled: a request that fails in between does not put the poll off', (t) => {
  const { machine, timer, events, elapse, post, armed } = setup(4 * SECOND);
  post(1);
  timer.poll();
  elapse();
  post(2);
  events.nowNs += SECOND / 2;
  timer.request();
  elapse();
  t.is(machine.failures.length, 1);
  t.is(armed(), 1001 + 4 * SECOND);
});

test('polled: a driver that comes up later is found, and a silent one fails in time', (t) => {
  const { machine, timer, elapse, post } = setup(2 * SECOND);
  timer.poll();
  elapse();
  elapse();
  t.is(machine.device.metrics.statsRequests, 0);
  post(1);
  elapse();
  t.is(machine.device.metrics.statsPolls, 1);
  for (let tick = 0; tick < 3; tick++) elapse();
  t.deepEqual(machine.failures, [{ request: 1, reason: 'timed-out' }]);
});

test('without an interval there is nothing to poll; closed, it is quiet', (t) => {
  const { timer, elapse, post } = setup(0);
  post(1);
  timer.poll();
  t.false(elapse());
  timer.request();
  timer.close();
  t.false(elapse());
});
