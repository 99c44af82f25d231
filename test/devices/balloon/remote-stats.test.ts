import test from 'ava';
import fc from 'fast-check';
import { BalloonControl, encodeTarget } from '../../../src/devices/balloon/control.js';
import { RemoteStats } from '../../../src/devices/balloon/remote-stats.js';
import { encodeStats, parseStats } from '../../../src/devices/balloon/stats.js';
import {
  decodeStatsAnswer,
  decodeStatsRequest,
  encodeStatsAnswer,
  encodeStatsRequest,
} from '../../../src/devices/balloon/stats-messages.js';
import type { StatsFailure } from '../../../src/devices/balloon/stats-requests.js';
import { StatsServer } from '../../../src/devices/balloon/stats-server.js';
import { simulatedChannel } from '../../../src/hal/simulated/channel.js';
import { boot, LIST, MIB, makeMachine, statsRecord } from '../harness.js';

const SECOND = 1_000_000_000;

/** Both ends of a control channel: the VMM's, and a balloon's with the guest behind it. */
function setup(statsIntervalNs = 0) {
  const handlers = new Map<number, (payload: { data: Uint8Array }) => void>();
  const calls: string[] = [];
  const simulated = simulatedChannel().create({
    message: (payload) => handlers.get(payload.channel)?.(payload),
    closed: () => {},
  });
  const channel = {
    ...simulated,
    send: (args: Parameters<typeof simulated.send>[0]) => {
      calls.push('send');
      simulated.send(args);
    },
    listen: (args: { channel: number }) => {
      calls.push('listen');
      simulated.listen(args);
    },
  };
  const events = {
    nowNs: 0,
    on: (_contract: unknown, _name: unknown, key: number | undefined, handler: unknown) => {
      handlers.set(key ?? 0, handler as (payload: { data: Uint8Array }) => void);
      return () => void handlers.delete(key ?? 0);
    },
  };
  const heard: unknown[] = [];
  const remote = new RemoteStats({
    channel,
    events,
    listener: {
      statsAnswered: (request, stats) => heard.push([request, stats]),
      statsFailed: (request, reason) => heard.push([request, reason]),
    },
    timeoutNs: 2 * SECOND,
    statsIntervalNs,
  });

  const connect = () => {
    const { near, far } = simulated.pair({ name: 'control' });
    const send = (data: Uint8Array) => simulated.send({ channel: far, data, attach: [] });
    const server = new StatsServer(send);
    const machine = makeMachine({ listener: Object.assign(server, { actualChanged: () => {} }) });
    const targets = new BalloonControl(machine.device);
    handlers.set(far, ({ data }) => {
      if (!server.handle(data, machine.device, events.nowNs)) targets.handle(data);
    });
    simulated.listen({ channel: far });
    boot(machine);
    const post = (free: number) => {
      machine.guest.write(LIST, Uint8Array.from(statsRecord(4, free)));
      machine.stats.post({ address: LIST, length: 10 });
      machine.driver.kick(2);
    };
    return { near, far, send, post, machine, targets };
  };
  return { remote, events, heard, calls, connect, simulated };
}

test('a request goes to the device, the guest is asked, and the answer comes back once', (t) => {
  const { remote, events, heard, connect } = setup();
  const { near, post, machine } = connect();
  remote.useControl(near);
  post(1);
  t.is(remote.requestStats(5), 1);
  t.is(machine.stats.takeUsed().length, 1);
  t.deepEqual(heard, []);
  events.nowNs = 9;
  post(2);
  t.deepEqual(heard, [[1, { freeBytes: 2 }]]);
  t.deepEqual(remote.lastStats, { stats: { freeBytes: 2 }, askedNs: 5, answeredNs: 9 });
  post(3);
  t.is(heard.length, 1);
  t.is(remote.strayAnswers, 0);
  t.is(remote.statsDeadlineNs, undefined);
});

test('nothing is sent or listened for before the first request, and listened for once', (t) => {
  const { remote, calls, connect } = setup();
  t.is(remote.requestStats(0), 'not-ready', 'there is no device yet');
  const { near, post } = connect();
  remote.useControl(near);
  post(1);
  t.deepEqual(calls, []);
  remote.requestStats(0);
  remote.requestStats(0);
  t.deepEqual(calls, ['listen', 'send', 'send']);
});

test('B10: before the first buffer the device says so', (t) => {
  const { remote, heard, connect } = setup();
  remote.useControl(connect().near);
  t.is(remote.requestStats(0), 1);
  t.deepEqual(heard, [[1, 'not-ready']]);
});

test('targets go the same way as before', (t) => {
  const { remote, connect, simulated } = setup();
  const { near, machine, targets } = connect();
  remote.useControl(near);
  simulated.send({ channel: near, data: encodeTarget(MIB), attach: [] });
  simulated.send({ channel: near, data: new Uint8Array(12), attach: [] });
  t.is(machine.device.targetPages, 256);
  t.deepEqual(targets.counters, { applied: 1, malformed: 1, refused: 0 });
});

test('B10: a guest that does not answer times out here; what comes late answers nobody', (t) => {
  const { remote, events, heard, connect } = setup();
  const { near, post, machine } = connect();
  remote.useControl(near);
  post(1);
  remote.requestStats(0);
  t.is(remote.statsDeadlineNs, 2 * SECOND);
  remote.expireStats(2 * SECOND - 1);
  t.deepEqual(heard, []);
  remote.expireStats(2 * SECOND);
  t.deepEqual(heard, [[1, 'timed-out']]);
  post(2);
  t.is(heard.length, 1);
  t.is(remote.strayAnswers, 1);
  t.is(remote.lastStats, undefined);
  // The device has no timer: the next request clears what is overdue.
  events.nowNs = 10 * SECOND;
  remote.requestStats(events.nowNs);
  events.nowNs = 20 * SECOND;
  remote.requestStats(events.nowNs);
  t.is(machine.device.metrics.statsFailures, 1);
});

test('a device that ends takes its requests with it; the next one is asked anew', (t) => {
  const { remote, heard, connect, simulated } = setup();
  const first = connect();
  remote.useControl(first.near);
  first.post(1);
  remote.requestStats(0);
  const second = connect();
  remote.useControl(second.near);
  t.deepEqual(heard, [[1, 'device-lost']]);
  first.post(2);
  t.is(heard.length, 1);
  second.post(3);
  t.is(remote.requestStats(0), 2);
  second.post(4);
  t.deepEqual(heard[1], [2, { freeBytes: 4 }]);
  simulated.close({ channel: second.far });
  t.is(remote.requestStats(0), 'not-ready', 'it cannot be sent');
  remote.end();
  t.is(heard.length, 2);
});

test('polled: as with a balloon in this process', (t) => {
  const { remote, connect } = setup(5 * SECOND);
  const { near, post } = connect();
  t.is(remote.pollStats(0), 'not-ready');
  remote.useControl(near);
  t.is(remote.statsPollNs, 0);
  post(1);
  t.is(remote.pollStats(0), 1);
  t.is(remote.pollStats(SECOND), 'not-due');
  post(2);
  t.is(remote.pollStats(5 * SECOND), 2);
  t.is(remote.statsPollNs, 10 * SECOND);
});

test('a message is understood as it was meant, and anything else is none', (t) => {
  t.is(decodeStatsRequest(encodeStatsRequest(0xffff_ffff)), 0xffff_ffff);
  t.deepEqual([...encodeStatsRequest(1)], [0x53, 0x54, 0x41, 0x54, 1, 0, 0, 0, 0, 0, 0, 0]);
  const failures: StatsFailure[] = ['timed-out', 'malformed', 'reset', 'not-ready', 'device-lost'];
  for (const outcome of failures) {
    t.deepEqual(decodeStatsAnswer(encodeStatsAnswer({ id: 3, outcome })), { id: 3, outcome });
  }
  const good = encodeStatsAnswer({ id: 1, outcome: { freeBytes: 2 ** 40 + 1 } });
  t.deepEqual(decodeStatsAnswer(good), { id: 1, outcome: { freeBytes: 2 ** 40 + 1 } });
  const withCode = (code: number) => {
    const bytes = good.slice();
    bytes[8] = code;
    return bytes;
  };
  for (const bad of [
    good.subarray(0, 11),
    good.subarray(0, 21),
    withCode(1),
    withCode(6),
    new Uint8Array(12),
    new Uint8Array(12 + 2570),
  ]) {
    t.is(decodeStatsAnswer(bad), undefined);
  }
  t.is(decodeStatsRequest(good.subarray(0, 12)), 1);
  t.is(decodeStatsRequest(withCode(1).subarray(0, 12)), undefined);
});

test('A1: what a sample says survives being sent on', (t) => {
  const tags = [...Array(16).keys(), 65534, 65535];
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...tags)), fc.maxSafeNat(), (sent, value) => {
      const bytes = sent.flatMap((tag, index) =>
        statsRecord(tag, (value + index) % 2 ** 32, Math.floor(value / 2 ** 33)),
      );
      const { stats } = parseStats(Uint8Array.from(bytes));
      t.is(Object.keys(stats).length, sent.length);
      t.deepEqual(parseStats(encodeStats(stats)).stats, stats);
    }),
    { numRuns: 200 },
  );
});

test('whatever a device sends, nothing throws and nobody is answered twice', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 })), (messages) => {
      const { remote, heard, connect } = setup();
      const { near, send, post } = connect();
      remote.useControl(near);
      post(1);
      remote.requestStats(0);
      for (const message of messages) {
        send(message);
        const forged = encodeStatsRequest((message[0] ?? 0) % 3);
        forged.set(message.subarray(0, 4), 8);
        send(forged);
      }
      t.true(heard.length <= 1);
    }),
    { numRuns: 200 },
  );
});
