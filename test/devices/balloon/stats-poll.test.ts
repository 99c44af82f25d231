import test from 'ava';
import { boot, LIST, makeMachine, statsRecord } from '../harness.js';

const SECOND = 1_000_000_000;

function setup(statsIntervalNs = 5 * SECOND) {
  const time = { nowNs: 0 };
  const machine = makeMachine({ statsIntervalNs, statsTimeoutNs: 12 * SECOND, time });
  boot(machine);
  const post = (free: number, nowNs = time.nowNs) => {
    time.nowNs = nowNs;
    machine.guest.write(LIST, Uint8Array.from(statsRecord(4, free)));
    machine.stats.post({ address: LIST, length: 10 });
    machine.driver.kick(2);
  };
  return { machine, device: machine.device, post };
}

test('polled: nothing before the first buffer, then at once, then once an interval', (t) => {
  const { machine, device, post } = setup();
  t.is(device.statsPollNs, undefined);
  t.is(device.pollStats(SECOND), 'not-ready', 'B10');
  post(1);
  t.is(device.statsPollNs, 0);
  t.is(device.pollStats(2 * SECOND), 1);
  post(2);
  t.is(device.statsPollNs, 7 * SECOND);
  t.is(device.pollStats(7 * SECOND - 1), 'not-due');
  t.is(device.pollStats(7 * SECOND), 2);
  post(3);
  t.deepEqual(
    machine.samples.map(({ stats }) => stats.freeBytes),
    [2, 3],
    'B9: the buffer that came without a request is none of them',
  );
  t.is(device.metrics.statsPolls, 2);
});

test('polled: a guest that is slow is not asked twice, and one that is silent is asked again', (t) => {
  const { machine, device, post } = setup();
  post(1);
  t.is(device.pollStats(0), 1);
  t.is(device.pollStats(5 * SECOND), 'outstanding');
  t.is(device.statsPollNs, 10 * SECOND);
  t.is(device.pollStats(10 * SECOND), 'outstanding');
  t.is(device.pollStats(15 * SECOND), 2, 'the first has timed out');
  t.deepEqual(machine.failures, [{ request: 1, reason: 'timed-out' }]);
  post(2);
  t.is(machine.samples.length, 0, 'B9: it was prepared for the first');
  post(3);
  t.deepEqual(machine.samples, [{ request: 2, stats: { freeBytes: 3 } }]);
});

test('A8: the interval may change at any time; 0 is on demand only', (t) => {
  const { device, post } = setup(0);
  post(1);
  t.is(device.statsPollNs, undefined);
  t.is(device.pollStats(100 * SECOND), 'not-due');
  device.statsIntervalNs = SECOND;
  t.is(device.pollStats(100 * SECOND), 1);
  post(2);
  device.statsIntervalNs = 10 * SECOND;
  t.is(device.statsPollNs, 110 * SECOND);
  device.statsIntervalNs = 0;
  t.is(device.pollStats(200 * SECOND), 'not-due');
  t.is(device.requestStats(200 * SECOND), 2);
});

test('B9: the last sample has the times between which it was taken, and no driver sees another’s', (t) => {
  const { machine, device, post } = setup();
  t.is(device.lastStats, undefined);
  post(1, SECOND);
  t.is(device.lastStats, undefined, 'a stale buffer is no sample');
  device.requestStats(2 * SECOND);
  post(2, 3 * SECOND);
  t.deepEqual(device.lastStats, {
    stats: { freeBytes: 2 },
    askedNs: 2 * SECOND,
    answeredNs: 3 * SECOND,
  });
  device.requestStats(4 * SECOND);
  t.is(device.lastStats?.answeredNs, 3 * SECOND, 'until a newer one comes');
  machine.driver.writeStatus(0);
  t.is(device.lastStats, undefined, 'B11');
  t.is(device.statsPollNs, undefined);
});

test('without a time, the time at which a sample came is unknown', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.stats.post({ address: LIST, length: 0 });
  machine.driver.kick(2);
  machine.device.requestStats(9);
  machine.stats.post({ address: LIST, length: 0 });
  machine.driver.kick(2);
  t.deepEqual(machine.device.lastStats, { stats: {}, askedNs: 9, answeredNs: undefined });
});
