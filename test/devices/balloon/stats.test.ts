import test from 'ava';
import { type BalloonStats, parseStats } from '../../../src/devices/balloon/stats.js';
import { boot, HIGH, LIST, LOW_END, makeMachine, PAGE, statsRecord } from '../harness.js';

const SECOND = 1_000_000_000;

function setup(timeoutNs = SECOND) {
  const machine = makeMachine({ statsTimeoutNs: timeoutNs });
  boot(machine);
  const post = (bytes: readonly number[]) => {
    machine.guest.write(LIST, Uint8Array.from(bytes));
    const head = machine.stats.post({ address: LIST, length: bytes.length });
    machine.driver.kick(2);
    return head;
  };
  return { ...machine, machine, post };
}

const NAMES: [number, keyof BalloonStats][] = [
  [0, 'swapInBytes'],
  [1, 'swapOutBytes'],
  [2, 'majorFaults'],
  [3, 'minorFaults'],
  [4, 'freeBytes'],
  [5, 'totalBytes'],
  [6, 'availableBytes'],
  [7, 'diskCachesBytes'],
  [8, 'hugetlbAllocations'],
  [9, 'hugetlbFailures'],
  [10, 'oomKills'],
  [11, 'allocationStalls'],
  [12, 'asyncScans'],
  [13, 'directScans'],
  [14, 'asyncReclaims'],
  [15, 'directReclaims'],
  [65534, 'sharedBytes'],
  [65535, 'unevictableBytes'],
];

test('A1, S5: records are 10 bytes; every tag is decoded, in any order, unknown ones ignored', (t) => {
  const bytes = [...NAMES].reverse().flatMap(([tag]) => statsRecord(tag, tag * 3 + 1, 2));
  const { stats, remainder, unusable } = parseStats(
    Uint8Array.from([...statsRecord(99, 1), ...bytes]),
  );
  t.deepEqual(
    { ...stats },
    Object.fromEntries(NAMES.map(([tag, name]) => [name, tag * 3 + 1 + 2 * 2 ** 32])),
  );
  t.is(remainder, 0);
  t.is(unusable, 0);
});

test('S6: a tag sent twice counts as sent last; a remainder is ignored; 2^53 and more are missing', (t) => {
  const parsed = parseStats(
    Uint8Array.from([
      ...statsRecord(4, 1),
      ...statsRecord(4, 2),
      ...statsRecord(5, 0xffffffff, 0xffffffff),
      ...statsRecord(6, 0xffffffff, 0x1fffff),
      1,
      2,
      3,
    ]),
  );
  t.deepEqual(parsed.stats, { freeBytes: 2, availableBytes: Number.MAX_SAFE_INTEGER });
  t.is(parsed.remainder, 3);
  t.is(parsed.unusable, 1);
});

test('A7, B9: the first buffer is held and not published; giving it back asks for a sample', (t) => {
  const { machine, post, samples } = setup();
  const first = post(statsRecord(4, 111));
  t.is(machine.stats.usedIndex, 0);
  t.is(machine.interrupts(), 0);
  t.is(machine.device.requestStats(5), 1);
  t.deepEqual(machine.stats.takeUsed(), [{ id: first, length: 0 }]);
  t.is(machine.interrupts(), 1);
  t.is(samples.length, 0);
  post(statsRecord(4, 222));
  t.deepEqual(samples, [{ request: 1, stats: { freeBytes: 222 } }]);
  t.is(machine.stats.usedIndex, 1, 'the new buffer is held');
  t.is(machine.device.metrics.statsStale, 1);
  t.is(machine.device.statsDeadlineNs, undefined);
});

test('B8: an absent tag is missing, never the value of before', (t) => {
  const { device, post, samples } = setup();
  post([]);
  device.requestStats(0);
  post([...statsRecord(4, 1), ...statsRecord(6, 2)]);
  device.requestStats(0);
  post(statsRecord(6, 3));
  t.deepEqual(samples.at(-1)?.stats, { availableBytes: 3 });
});

test('B9, A17: a request that comes while a sample is prepared is answered by the next one', (t) => {
  const { device, post, samples } = setup();
  post([]);
  t.is(device.requestStats(0), 1);
  t.is(device.requestStats(0), 2);
  t.is(device.requestStats(0), 3);
  post(statsRecord(4, 1));
  t.deepEqual(samples, [{ request: 1, stats: { freeBytes: 1 } }]);
  post(statsRecord(4, 2));
  t.deepEqual(samples.slice(1), [
    { request: 2, stats: { freeBytes: 2 } },
    { request: 3, stats: { freeBytes: 2 } },
  ]);
});

test('B10: before the first buffer a request fails at once', (t) => {
  const { device, post } = setup();
  t.is(device.requestStats(0), 'not-ready');
  post([]);
  t.is(device.requestStats(0), 1);
});

test('B10, R12: a buffer that never returns times out, and does not answer late', (t) => {
  const { device, post, samples, failures } = setup();
  post([]);
  device.requestStats(100);
  device.requestStats(200);
  t.is(device.statsDeadlineNs, 100 + SECOND);
  device.expireStats(99 + SECOND);
  t.is(failures.length, 0);
  device.expireStats(100 + SECOND);
  t.deepEqual(failures, [{ request: 1, reason: 'timed-out' }]);
  t.is(device.statsDeadlineNs, 200 + SECOND);
  post(statsRecord(4, 7));
  t.is(samples.length, 0, 'it was prepared for request 1');
  post(statsRecord(4, 8));
  t.deepEqual(samples, [{ request: 2, stats: { freeBytes: 8 } }]);
  t.is(device.metrics.statsFailures, 1);
  t.is(device.requestStats(300), 3, 'the queue is alive');
});

test('R12: a second buffer is given back at once', (t) => {
  const { machine, post, samples } = setup();
  post([]);
  const extra = post(statsRecord(4, 5));
  t.deepEqual(machine.stats.takeUsed(), [{ id: extra, length: 0 }]);
  t.is(machine.faults.of('stats-extra-buffer'), 1);
  machine.device.requestStats(0);
  machine.stats.post({ address: LIST, length: 0 });
  machine.stats.post({ address: LIST, length: 0 });
  machine.driver.kick(2);
  t.is(samples.length, 1);
  t.is(machine.faults.of('stats-extra-buffer'), 2);
});

test('A7, R12: 2560 bytes parse; 2561 and 2^32 - 1 are held but not parsed', (t) => {
  const { machine, post, samples, failures } = setup();
  post([]);
  machine.device.requestStats(0);
  post(Array.from({ length: 256 }, (_, index) => statsRecord(4, index)).flat());
  t.deepEqual(samples, [{ request: 1, stats: { freeBytes: 255 } }]);
  for (const length of [2561, 2 ** 32 - 1]) {
    machine.device.requestStats(0);
    machine.stats.post({ address: LIST, length });
    machine.driver.kick(2);
  }
  t.deepEqual(
    failures.map((failure) => failure.reason),
    ['malformed', 'malformed'],
  );
  t.is(machine.faults.of('stats-length'), 2);
  machine.device.requestStats(0);
  post(statsRecord(4, 9));
  t.is(samples.length, 2, 'the queue is alive');
});

test('R12: lengths that are no multiple of 10, unknown tags only, write-only and unmapped buffers', (t) => {
  const { machine, post, samples, failures } = setup();
  post([]);
  machine.device.requestStats(0);
  post([...statsRecord(4, 1), 9, 9]);
  machine.device.requestStats(0);
  post([...statsRecord(1000, 1), ...statsRecord(2000, 1)]);
  t.deepEqual(
    samples.map((sample) => sample.stats),
    [{ freeBytes: 1 }, {}],
  );
  t.is(machine.faults.of('stats-length'), 1);
  for (const buffer of [
    { address: LIST, length: 10, writable: true },
    { address: LOW_END, length: 10 },
    { address: HIGH - 5, length: 10 },
  ]) {
    machine.device.requestStats(0);
    machine.stats.post(buffer);
    machine.driver.kick(2);
  }
  t.is(failures.length, 3);
  t.is(machine.faults.of('write-only-buffer'), 1);
  t.is(machine.faults.of('buffer-outside-ram'), 2);
});

test('a sample may lie in several descriptors, cut anywhere', (t) => {
  const { machine, post, samples } = setup();
  post([]);
  machine.device.requestStats(0);
  machine.guest.write(LIST, Uint8Array.from([...statsRecord(4, 77), ...statsRecord(6, 88)]));
  machine.stats.post(
    { address: LIST, length: 7 },
    { address: LIST + 7, length: 0 },
    { address: LIST + 7, length: 13 },
  );
  machine.driver.kick(2);
  t.deepEqual(samples[0]?.stats, { freeBytes: 77, availableBytes: 88 });
});

test('R3: a malformed chain is given back and does not count as a buffer', (t) => {
  const { machine } = setup();
  machine.stats.writeDescriptor(5, LIST, 10, 1, 5);
  machine.stats.pushHead(5);
  machine.driver.kick(2);
  t.deepEqual(machine.stats.takeUsed(), [{ id: 5, length: 0 }]);
  t.is(machine.device.requestStats(0), 'not-ready');
});

test('R10: the statistics buffer given to the balloon reads as zero and is answered', (t) => {
  const { machine, post, samples } = setup();
  post(statsRecord(4, 1));
  machine.device.requestStats(0);
  machine.guest.write(LIST, Uint8Array.from(statsRecord(4, 1)));
  machine.guest.writeU32Array(0x140000, Uint32Array.of(LIST / PAGE));
  machine.inflate.post({ address: 0x140000, length: 4 });
  machine.driver.kick(0);
  machine.stats.post({ address: LIST, length: 10 });
  machine.driver.kick(2);
  t.deepEqual(samples[0]?.stats, { swapInBytes: 0 });
});

test('B11, R15: a reset fails what is outstanding and forgets the buffer', (t) => {
  const { machine, post, failures, samples } = setup();
  post([]);
  machine.device.requestStats(0);
  machine.device.requestStats(0);
  machine.driver.writeStatus(0);
  t.deepEqual(failures, [
    { request: 1, reason: 'reset' },
    { request: 2, reason: 'reset' },
  ]);
  t.is(machine.device.statsDeadlineNs, undefined);
  t.is(machine.device.requestStats(0), 'not-ready');
  for (const queue of [machine.inflate, machine.deflate, machine.stats]) queue.restart();
  boot(machine);
  post(statsRecord(4, 1));
  t.is(samples.length, 0, 'the first buffer is stale again');
  machine.device.requestStats(0);
  post(statsRecord(4, 2));
  t.is(samples.length, 1);
});

test('without STATS_VQ there is no third queue, offered or negotiated', (t) => {
  const without = makeMachine({ features: { statsQueue: false } });
  boot(without);
  t.is(without.driver.status, 0xf);
  t.is(without.driver.queueMax(2), 0);
  t.is(without.device.requestStats(0), 'not-ready');

  const refused = makeMachine();
  refused.driver.negotiate(0xffffffff & ~2);
  refused.driver.setUpQueue(0, refused.inflate.layout);
  refused.driver.setUpQueue(1, refused.deflate.layout);
  refused.driver.setUpQueue(2, refused.stats.layout);
  refused.driver.writeStatus(0xf);
  refused.stats.post({ address: LIST, length: 10 });
  refused.driver.kick(2);
  t.is(refused.device.requestStats(0), 'not-ready');
});
