import test from 'ava';
import { decodeStatsAnswer, encodeStatsRequest } from '../../src/devices/balloon/stats-messages.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { statsRecord } from '../devices/harness.js';
import { type LaneRecord, LIST, PAGE, type Trap, TwoLanes } from './two-lanes.js';

const FRAMES = [0x1000, 0x1001, 0x1005];

/** The guest's driver comes up with all queues. */
function boot(host: TwoLanes) {
  const inflate = host.queueAt(0);
  const deflate = host.queueAt(1);
  const stats = host.queueAt(2);
  host.driver.negotiate();
  host.driver.setUpQueue(0, inflate.layout);
  host.driver.setUpQueue(1, deflate.layout);
  host.driver.setUpQueue(2, stats.layout);
  host.driver.writeStatus(0xf);
  host.settle();
  host.interrupts();
  return { inflate, deflate, stats };
}

function names(host: TwoLanes): string[] {
  return host.lanes.map(({ incarnation }) => incarnation);
}

/** Every lane replays to the same bytes, twice. */
function replaysIdentically(host: TwoLanes, lane: LaneRecord): boolean {
  return [1, 2].every(() => {
    const { sink } = host.replay(lane);
    if (sink.turnCount !== lane.turns.turnCount) return false;
    return Array.from({ length: sink.turnCount }, (_, turn) => turn).every(
      (turn) => Buffer.compare(sink.turnBytes(turn), lane.turns.turnBytes(turn)) === 0,
    );
  });
}

for (const registerReads of ['exit', 'memory'] as const) {
  test(`a device in a process of its own inflates and deflates, and both lanes replay (register reads: ${registerReads})`, (t) => {
    const host = new TwoLanes({ registerReads });
    const { inflate, deflate } = boot(host);
    for (const frame of FRAMES) host.fill(frame);
    const head = inflate.post(host.writeFrames(FRAMES));
    t.is(inflate.usedIndex, 0);
    host.kick(0);
    t.true(FRAMES.every((frame) => host.isZero(frame)));
    t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }]);
    t.is(host.interrupts(), 1);
    t.is(host.driver.read32(0x60) & 1, 1, 'the shared status word says what the interrupt is for');
    deflate.post(host.writeFrames(FRAMES));
    host.kick(1);
    t.is(deflate.usedIndex, 1);
    host.shutDown();
    t.is(host.main.end?.failure, undefined);
    t.deepEqual(names(host), ['main', 'device']);
    t.deepEqual(host.lanes[1]?.exit, { code: 0, signal: '' });
    for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
  });

  test(`killed in the middle, the device goes on with the registers that its guest sees (register reads: ${registerReads})`, (t) => {
    const host = new TwoLanes({ registerReads }, { call: 'discard', when: 'after' });
    const { inflate } = boot(host);
    const head = inflate.post(host.writeFrames(FRAMES));
    host.kick(0);
    t.deepEqual(names(host), ['main', 'device', 'device#2']);
    t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }]);
    t.is(host.driver.read32(0x60) & 1, 1);
    t.is(host.driver.read32(0x70), 0xf);
    host.shutDown();
    for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
  });
}

for (const registerReads of ['exit', 'memory'] as const) {
  test(`a driver whose writes are posted waits for no answer (register reads: ${registerReads})`, (t) => {
    const host = new TwoLanes({ registerReads, driverWrites: 'posted' });
    const { inflate } = boot(host);
    const inflateOne = (frame: number): void => {
      inflate.post(host.writeFrames([frame]));
      host.kick(0);
    };
    inflateOne(0x1000);
    const turns = host.main.turns.turnCount;
    t.is(host.driver.read32(0x60), 1);
    const reads = host.main.turns.turnCount - turns;
    host.driver.write32(0x64, 1);
    t.is(host.main.turns.turnCount, turns + reads, 'nobody heard of it');
    inflateOne(0x1001);
    t.is(host.interrupts(), 2);
    t.is(host.driver.read32(0x60), 1, 'the second interrupt is for used buffers, too');
    host.driver.write32(0x64, 3);
    t.is(host.driver.read32(0x60), 0, 'what acknowledges more is an exit');
    const before = host.main.turns.turnCount;
    host.driver.write32(0x104, 2);
    t.is(host.driver.read32(0x104), 2, 'the report of the balloon has arrived');
    t.true(host.main.turns.turnCount > before);
    host.shutDown();
    for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
  });
}

const MOMENTS: readonly {
  readonly title: string;
  readonly trap: Trap;
  readonly usedThen: number;
}[] = [
  {
    title: 'after the discard, before used.idx',
    trap: { call: 'storeReleaseU16', when: 'before' },
    usedThen: 0,
  },
  {
    title: 'before the discard',
    trap: { call: 'discard', when: 'before' },
    usedThen: 0,
  },
  {
    title: 'after used.idx, before the interrupt',
    trap: { call: 'storeReleaseU16', when: 'after' },
    usedThen: 1,
  },
];

for (const { title, trap } of MOMENTS) {
  test(`killed ${title}: the next incarnation loses no descriptor`, (t) => {
    const host = new TwoLanes();
    const { inflate, deflate } = boot(host);
    for (const frame of FRAMES) host.fill(frame);
    host.trap = trap;
    const head = inflate.post(host.writeFrames(FRAMES));
    host.kick(0);
    t.deepEqual(names(host), ['main', 'device', 'device#2']);
    t.deepEqual(host.lanes[1]?.exit, { code: -1, signal: 'SIGKILL' });
    t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }], 'given back exactly once');
    t.true(FRAMES.every((frame) => host.isZero(frame)));
    t.true(host.interrupts() > 0, 'the guest hears of it');
    const next = inflate.post(host.writeFrames([0x1010]));
    host.fill(0x1010);
    host.kick(0);
    t.deepEqual(inflate.takeUsed(), [{ id: next, length: 0 }], 'the guest goes on');
    t.true(host.isZero(0x1010));
    deflate.post(host.writeFrames(FRAMES));
    host.kick(1);
    t.is(deflate.usedIndex, 1);
    host.shutDown();
    for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
  });
}

test('killed while idle and kicked while it is gone: what was posted meanwhile is served', (t) => {
  const host = new TwoLanes();
  const { inflate } = boot(host);
  host.killDevice();
  const head = inflate.post(host.writeFrames(FRAMES));
  host.kick(0);
  t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }]);
  t.deepEqual(names(host), ['main', 'device', 'device#2']);
});

test('the target reaches the guest by the config space, and a restart keeps it and actual', (t) => {
  const host = new TwoLanes({ burstMiB: 4 });
  boot(host);
  const pages = (4 << 20) / PAGE;
  t.is(host.driver.read32(0x100), pages);
  host.driver.write32(0x104, 77);
  host.killDevice();
  host.settle();
  t.is(host.driver.read32(0x100), pages);
  t.is(host.driver.read32(0x104), 77);
  t.is(host.driver.read32(0xfc), 1, 'the config space changed once only');
  host.shutDown();
  for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
});

test('a target that the killed device had not read is sent again', (t) => {
  const host = new TwoLanes({ burstMiB: 4 }, { call: 'adoptRegion', when: 'before' });
  t.deepEqual(names(host), ['main', 'device', 'device#2']);
  t.is(host.driver.read32(0x100), (4 << 20) / PAGE);
});

test('a reset and a new driver start over with empty rings', (t) => {
  const host = new TwoLanes();
  const first = boot(host);
  first.inflate.post(host.writeFrames(FRAMES));
  host.kick(0);
  host.driver.writeStatus(0);
  t.is(host.driver.status, 0);
  for (const queue of [first.inflate, first.deflate, first.stats]) queue.restart();
  const { inflate } = boot(host);
  const head = inflate.post(host.writeFrames(FRAMES));
  host.kick(0);
  t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }]);
  t.deepEqual(names(host), ['main', 'device']);
});

test('the guest waits with its reset until the device has let go of the rings, or is dead', (t) => {
  for (const end of ['confirmed', 'killed'] as const) {
    const host = new TwoLanes();
    const { inflate } = boot(host);
    inflate.post(host.writeFrames(FRAMES));
    const status = virtioSlot(0).address + 0x70;
    t.false(host.beginAccess(status, new Uint8Array(4), true));
    if (end === 'killed') host.killDevice();
    host.settle();
    t.true(host.isAnswered, end);
    host.kick(0);
    t.is(inflate.usedIndex, 0, "the ring is the old driver's and left alone");
    host.shutDown();
    for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
  }
});

test('a broken ring comes back as NEEDS_RESET, and a reset helps', (t) => {
  const host = new TwoLanes();
  const first = boot(host);
  first.inflate.setAvailIndex(1000);
  host.kick(0);
  t.is(host.driver.status & 0x40, 0x40);
  host.driver.writeStatus(0);
  for (const queue of [first.inflate, first.deflate, first.stats]) queue.restart();
  const { inflate } = boot(host);
  t.is(host.driver.status, 0xf);
  inflate.post(host.writeFrames(FRAMES));
  host.kick(0);
  t.is(inflate.usedIndex, 1);
});

test('rings outside RAM: the driver is told to reset, the device lives', (t) => {
  const host = new TwoLanes();
  const inflate = host.queueAt(0);
  host.driver.negotiate();
  host.driver.setUpQueue(0, { ...inflate.layout, used: 2 ** 40 });
  host.driver.setUpQueue(1, host.queueAt(1).layout);
  host.driver.writeStatus(0xf);
  t.is(host.driver.status & 0x40, 0x40);
  const again = new TwoLanes();
  again.driver.negotiate();
  // Inside RAM at its start and outside at its end: only the device notices.
  again.driver.setUpQueue(0, { ...inflate.layout, descriptors: (32 << 20) - 16 });
  again.driver.setUpQueue(1, again.queueAt(1).layout);
  again.driver.writeStatus(0xf);
  again.settle();
  t.is(again.driver.status & 0x40, 0x40);
  t.deepEqual(names(again), ['main', 'device']);
});

test('a device that dies at once again and again: five restarts, then the run ends and says so', (t) => {
  const host = new TwoLanes();
  host.trap = { call: 'adoptRegion', when: 'before', in: () => true };
  host.killDevice();
  host.settle();
  t.deepEqual(names(host).slice(1), [
    'device',
    'device#2',
    'device#3',
    'device#4',
    'device#5',
    'device#6',
  ]);
  const failure = host.main.end?.failure as { code?: string; message?: string } | undefined;
  t.is(failure?.code, 'DEVICE_GAVE_UP');
  t.regex(
    failure?.message ?? '',
    /lane "device" was ended by SIGKILL, after 5 restarts within 10 s/,
  );
  t.true(replaysIdentically(host, host.main));
});

test('restarts further apart than ten seconds do not add up', (t) => {
  const host = new TwoLanes();
  boot(host);
  for (let kill = 0; kill < 8; kill++) {
    host.nowNs += 3e9;
    host.killDevice();
    host.settle();
  }
  t.is(host.main.end, undefined);
  t.is(host.lanes.length, 10);
});

test('a device that hangs while an answer is due is ended and started again, with the reason', (t) => {
  const host = new TwoLanes();
  const { inflate } = boot(host);
  t.false(host.isArmed('device.answer'), 'nothing runs while nothing is due');
  host.hangDevice();
  host.driver.write32(0x104, 5);
  t.true(host.isArmed('device.answer'));
  host.expire('device.answer');
  t.deepEqual(names(host), ['main', 'device'], 'one silence may be our own');
  host.expire('device.answer');
  t.deepEqual(names(host), ['main', 'device', 'device#2']);
  t.deepEqual(host.lanes[1]?.exit, { code: -1, signal: 'SIGKILL' });
  t.false(host.isArmed('device.answer'));
  const restarts = host.notices.filter((notice) => notice.includes('started again'));
  t.is(restarts.length, 1);
  t.regex(restarts[0] ?? '', /SIGKILL \(the device hangs: it does not answer set-config\)/);
  host.fill(0x1000);
  const head = inflate.post(host.writeFrames([0x1000]));
  host.kick(0);
  t.deepEqual(inflate.takeUsed(), [{ id: head, length: 0 }], 'the guest goes on');
  t.is(host.driver.read32(0x104), 5);
  host.shutDown();
  for (const lane of host.lanes) t.true(replaysIdentically(host, lane), lane.incarnation);
});

test('a guest that resets a device that hangs waits no longer than until that is ended', (t) => {
  const host = new TwoLanes();
  boot(host);
  host.hangDevice();
  t.false(host.beginAccess(virtioSlot(0).address + 0x70, new Uint8Array(4), true));
  host.settle();
  t.false(host.isAnswered);
  host.expire('device.answer');
  host.expire('device.answer');
  t.true(host.isAnswered);
  t.deepEqual(names(host), ['main', 'device', 'device#2']);
});

test('an answer that comes between two silences ends neither the device nor the run', (t) => {
  const host = new TwoLanes();
  boot(host);
  for (let time = 0; time < 4; time++) {
    host.beginAccess(virtioSlot(0).address + 0x104, Uint8Array.of(time, 0, 0, 0), true);
    host.expire('device.answer');
  }
  t.deepEqual(names(host), ['main', 'device']);
  t.false(host.isArmed('device.answer'));
});

test('statistics are asked for and answered over the control channel, and the lane replays', (t) => {
  const host = new TwoLanes();
  const { stats } = boot(host);
  const answers = () => host.control.take().map(decodeStatsAnswer);
  const post = (free: number) => {
    const data = Uint8Array.from([...statsRecord(4, free), ...statsRecord(5, 1e6)]);
    host.mmap.write({ region: host.ramRegion, offset: LIST, data });
    stats.post({ address: LIST, length: data.length });
    host.kick(2);
  };
  host.control.ask(encodeStatsRequest(7));
  t.deepEqual(answers(), [{ id: 7, outcome: 'not-ready' }], 'B10');
  post(1);
  t.deepEqual(answers(), [], 'nobody asked for the first buffer');
  host.control.ask(encodeStatsRequest(8));
  t.is(stats.takeUsed().length, 1);
  post(2);
  t.deepEqual(answers(), [{ id: 8, outcome: { freeBytes: 2, totalBytes: 1e6 } }]);
  host.control.ask(encodeStatsRequest(9));
  host.driver.writeStatus(0);
  t.deepEqual(answers(), [{ id: 9, outcome: 'reset' }]);
  host.control.ask(new Uint8Array(12));
  t.deepEqual(answers(), [], 'a message that is neither is ignored');
  host.shutDown();
  const device = host.lanes[1];
  t.deepEqual(names(host), ['main', 'device']);
  t.true(device !== undefined && replaysIdentically(host, device));
});

test('statistics: a restarted device holds the buffer of its predecessor and answers', (t) => {
  const host = new TwoLanes();
  const { stats } = boot(host);
  stats.post({ address: LIST, length: 0 });
  host.kick(2);
  host.killDevice();
  host.settle();
  t.deepEqual(names(host), ['main', 'device', 'device#2']);
  host.control.ask(encodeStatsRequest(1));
  stats.post({ address: LIST, length: 0 });
  host.kick(2);
  t.deepEqual(host.control.take().map(decodeStatsAnswer), [{ id: 1, outcome: {} }]);
});
