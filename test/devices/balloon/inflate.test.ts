import test from 'ava';
import { featureSet } from '../../../src/devices/virtio/features.js';
import { HalError } from '../../../src/hal/contract/errors.js';
import {
  boot,
  frameList,
  HIGH,
  isZero,
  LIST,
  LOW_END,
  MIB,
  makeMachine,
  PAGE,
  RING_BASE,
  touch,
} from '../harness.js';

const FRAME = 0x200;

function discards(machine: ReturnType<typeof makeMachine>): number[][] {
  return machine.calls
    .filter((call) => call.name === 'discard')
    .map((call) => [...(call.args.ranges as Float64Array)]);
}

test('A5: nothing happens without a kick; with it the page reads as zero and is counted', (t) => {
  const machine = makeMachine();
  boot(machine);
  touch(machine, FRAME);
  const head = machine.inflate.post(frameList(machine, [FRAME]));
  t.false(isZero(machine, FRAME));
  t.is(machine.inflate.usedIndex, 0);
  machine.driver.kick(0);
  t.true(isZero(machine, FRAME));
  t.deepEqual(machine.inflate.takeUsed(), [{ id: head, length: 0 }], 'D9: nothing was written');
  t.is(machine.device.metrics.inflatedPages, 1);
  t.is(machine.interrupts(), 1);
  t.is(machine.statusWord(), 1);
});

test('D5: the discard is finished before used.idx moves, and the interrupt comes last', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.inflate.post(frameList(machine, [FRAME, FRAME + 1]));
  machine.calls.length = 0;
  machine.driver.kick(0);
  t.deepEqual(
    machine.calls.map((call) => call.name),
    [
      'loadAcquireU16',
      'readU16Array',
      'read',
      'readU32Array',
      'discard',
      'writeU32Array',
      'storeReleaseU16',
      'loadAcquireU16',
    ],
  );
  const release = machine.calls[6];
  t.is(release?.args.offset, machine.inflate.used + 2);
});

test('B4: one drain is one call, sorted, joined over descriptors and chains, without duplicates', (t) => {
  const machine = makeMachine();
  boot(machine);
  const one = frameList(machine, [FRAME + 3, FRAME + 2], LIST);
  const two = frameList(machine, [FRAME, FRAME + 2, FRAME + 9], LIST + 0x1000);
  const three = frameList(machine, [FRAME + 1], LIST + 0x2000);
  machine.inflate.post(one, two);
  machine.inflate.post(three);
  machine.driver.kick(0);
  t.deepEqual(discards(machine), [[FRAME * PAGE, 4 * PAGE, (FRAME + 9) * PAGE, PAGE]]);
  t.is(machine.faults.of('pfn-duplicate'), 1);
  t.is(machine.device.metrics.inflatedPages, 5);
  t.is(machine.inflate.takeUsed().length, 2);
  t.is(machine.interrupts(), 1, 'B15: one interrupt for the batch');
});

test('B2: the frames of every readable descriptor count', (t) => {
  const machine = makeMachine();
  boot(machine);
  const buffers = [0, 1, 2, 3].map((index) =>
    frameList(machine, [FRAME + index * 2], LIST + index * 0x100),
  );
  machine.inflate.post(...buffers);
  machine.driver.kick(0);
  t.is(machine.device.metrics.inflatedPages, 4);
});

test('many requests in one kick read the descriptor table once', (t) => {
  const machine = makeMachine();
  boot(machine);
  for (let index = 0; index < 100; index++) {
    machine.inflate.post(frameList(machine, [FRAME + index], LIST + index * 4));
  }
  machine.calls.length = 0;
  machine.driver.kick(0);
  t.is(machine.calls.filter((call) => call.name === 'read').length, 1);
  t.is(machine.calls.filter((call) => call.name === 'readU16Array').length, 1);
  t.deepEqual(discards(machine), [[FRAME * PAGE, 100 * PAGE]]);
});

test('a range over two parts goes to both regions, and RAM above the hole to where it is', (t) => {
  const machine = makeMachine();
  boot(machine);
  const top = (16 * MIB) / PAGE;
  const high = HIGH / PAGE;
  const frames = [top - 1, top, high, high + 1];
  for (const frame of frames) touch(machine, frame);
  machine.inflate.post(frameList(machine, frames));
  machine.driver.kick(0);
  for (const frame of frames) t.true(isZero(machine, frame));
  t.is(machine.device.metrics.inflatedPages, 4);
  t.deepEqual(discards(machine), [
    [16 * MIB - PAGE, PAGE],
    [0, PAGE],
    [16 * MIB, 2 * PAGE],
  ]);
});

test('R9, B5: frames in the hole, beyond RAM and at the end of numbers are skipped and counted', (t) => {
  const machine = makeMachine();
  boot(machine);
  const lastLow = LOW_END / PAGE - 1;
  const lastHigh = (HIGH + 8 * MIB) / PAGE - 1;
  touch(machine, lastLow);
  touch(machine, lastHigh);
  const bad = [lastLow + 1, HIGH / PAGE - 1, lastHigh + 1, 0xffffffff];
  machine.inflate.post(frameList(machine, [...bad, lastLow, lastHigh]));
  machine.driver.kick(0);
  t.is(machine.faults.of('pfn-outside-ram'), 4);
  t.is(machine.device.metrics.inflatedPages, 2);
  t.true(isZero(machine, lastLow));
  t.true(isZero(machine, lastHigh));
  t.is(machine.inflate.takeUsed().length, 1);
});

test('R9, A6, B1, B3: write-only and length 5 are acknowledged and leave pages untouched', (t) => {
  const machine = makeMachine();
  boot(machine);
  touch(machine, FRAME);
  const list = frameList(machine, [FRAME, FRAME]);
  machine.inflate.post({ ...list, writable: true });
  machine.inflate.post({ ...list, length: 5 });
  machine.inflate.post({ ...list, length: 0 });
  machine.driver.kick(0);
  t.false(isZero(machine, FRAME));
  t.deepEqual(
    machine.inflate.takeUsed().map((used) => used.length),
    [0, 0, 0],
  );
  t.is(machine.faults.of('write-only-buffer'), 1);
  t.is(machine.faults.of('pfn-list-length'), 1);
  t.is(discards(machine).length, 0);
});

test('R9: bad descriptors of a chain do not spoil the good ones', (t) => {
  const machine = makeMachine();
  boot(machine);
  const good = frameList(machine, [FRAME]);
  machine.inflate.post({ address: LIST, length: 6 }, { address: LOW_END, length: 4 }, good, {
    ...good,
    writable: true,
  });
  machine.driver.kick(0);
  t.is(machine.device.metrics.inflatedPages, 1);
  t.is(machine.faults.of('buffer-outside-ram'), 1);
});

test('R9: more than 256 frames in one request are served', (t) => {
  const machine = makeMachine();
  boot(machine);
  const frames = Array.from({ length: 3000 }, (_, index) => FRAME + 2999 - index);
  machine.inflate.post(frameList(machine, frames));
  machine.driver.kick(0);
  t.is(machine.device.metrics.inflatedPages, 3000);
  t.is(machine.device.metrics.discardRanges, 1);
});

test('R9: frames over the limit of one kick are left out and counted, and acknowledged', (t) => {
  const machine = makeMachine({ maxFramesPerDrain: 100 });
  boot(machine);
  const frames = Array.from({ length: 90 }, (_, index) => FRAME + index);
  const list = frameList(machine, frames);
  machine.inflate.post(list);
  machine.inflate.post(list, list);
  machine.driver.kick(0);
  t.is(machine.faults.of('pfn-over-limit'), 170);
  t.is(machine.faults.of('pfn-duplicate'), 10);
  t.is(machine.inflate.takeUsed().length, 2);
});

test('R5: lists outside RAM, in the hole, overflowing, or over two parts', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.inflate.post({ address: LOW_END, length: 4 });
  machine.inflate.post({ address: LOW_END - 4, length: 8 });
  machine.inflate.post({ address: 2 ** 64 - 2 ** 12, length: 2 ** 32 - 4 });
  machine.inflate.post(frameList(machine, [FRAME, FRAME + 1], 16 * MIB - 4));
  machine.inflate.post(frameList(machine, [FRAME + 2], LIST + 1));
  machine.driver.kick(0);
  t.is(machine.faults.of('buffer-outside-ram'), 3);
  t.is(machine.device.metrics.inflatedPages, 3);
  t.is(machine.inflate.takeUsed().length, 5);
});

test('R1: a jump of avail.idx sets NEEDS_RESET; other queues keep working', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.inflate.setAvailIndex(129);
  for (let kick = 0; kick < 1000; kick++) machine.driver.kick(0);
  t.is(machine.driver.status, 0x4f);
  t.is(machine.statusWord(), 2);
  t.is(machine.interrupts(), 1, 'a flood of kicks makes no flood of interrupts');
  t.is(machine.inflate.usedIndex, 0);
  machine.deflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(1);
  t.is(machine.deflate.takeUsed().length, 1);
  machine.driver.writeStatus(0);
  machine.inflate.restart();
  machine.deflate.restart();
  boot(machine);
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(0);
  t.is(machine.inflate.takeUsed().length, 1, 'a reset helps');
});

test('R2, R3, R4, R6: malformed chains come back unread, a bad head cannot', (t) => {
  const machine = makeMachine();
  boot(machine);
  touch(machine, FRAME);
  const list = frameList(machine, [FRAME]);
  machine.inflate.writeDescriptor(10, list.address, list.length, 1, 10);
  machine.inflate.writeDescriptor(11, list.address, list.length, 1, 500);
  machine.inflate.writeDescriptor(12, list.address, list.length, 4, 0);
  machine.inflate.pushHead(500);
  for (const head of [10, 11, 12]) machine.inflate.pushHead(head);
  machine.inflate.post({ ...list, writable: true }, list);
  machine.driver.kick(0);
  t.false(isZero(machine, FRAME));
  t.deepEqual(
    machine.inflate.takeUsed().map((used) => used.id),
    [10, 11, 12, 0],
  );
  t.is(machine.faults.of('bad-head'), 1);
  t.is(machine.driver.status, 0xf);
});

test('R10: a ring that gives itself up reads as zero; the device goes on or asks for a reset', (t) => {
  const machine = makeMachine();
  boot(machine);
  const ring = RING_BASE[0] / PAGE;
  for (let round = 0; round < 3; round++) {
    machine.inflate.post(frameList(machine, [ring, ring + 1, LIST / PAGE]));
    machine.driver.kick(0);
    t.is(machine.inflate.usedIndex, round + 1, 'the request that gave the ring up is acknowledged');
  }
  t.is(machine.driver.status, 0xf);
  machine.driver.kick(0);
  t.is(machine.driver.status, 0x4f, 'avail.idx went back to 0');
  machine.deflate.post(frameList(machine, [ring]));
  machine.driver.kick(1);
  t.is(machine.deflate.takeUsed().length, 1);
});

test('R14: a flood of kicks with nothing in the queue costs one load each and no interrupt', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.calls.length = 0;
  for (let kick = 0; kick < 1000; kick++) machine.driver.kick(0);
  t.is(machine.calls.length, 1000);
  t.is(machine.interrupts(), 0);
  machine.device.kick(7);
  t.is(machine.calls.length, 1000, 'no such queue');
});

test('deflate acknowledges and discards nothing', (t) => {
  const machine = makeMachine();
  boot(machine);
  touch(machine, FRAME);
  const head = machine.deflate.post(frameList(machine, [FRAME, FRAME + 1]));
  machine.driver.kick(1);
  t.false(isZero(machine, FRAME));
  t.deepEqual(machine.deflate.takeUsed(), [{ id: head, length: 0 }]);
  t.is(machine.device.metrics.deflatedPages, 2);
  t.is(discards(machine).length, 0);
});

test('Q4: no interrupt for a driver that wants none', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.inflate.setAvailFlags(1);
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(0);
  t.is(machine.inflate.takeUsed().length, 1);
  t.is(machine.interrupts(), 0);
  t.is(machine.statusWord(), 0);
});

test('a discard that the host refuses is counted, and the request acknowledged', (t) => {
  const plain = makeMachine();
  const mmap = {
    ...plain.mmap,
    discard: () => {
      throw new HalError('SYSCALL_FAILED', 'madvise failed', { errno: 12, syscall: 'madvise' });
    },
  };
  const machine = makeMachine({ mmap, ram: plain.ram });
  machine.device.activate({
    features: featureSet([32]),
    queues: [
      { index: 0, ...plain.inflate.layout, nextAvail: 0 },
      { index: 1, ...plain.deflate.layout, nextAvail: 0 },
    ],
    config: new Uint8Array(8),
  });
  plain.inflate.post(frameList(plain, [FRAME]));
  machine.device.kick(0);
  t.is(plain.inflate.takeUsed().length, 1);
  t.is(machine.device.metrics.discardFailures, 1);
});

test('any other error of a discard is not swallowed', (t) => {
  const plain = makeMachine();
  const mmap = {
    ...plain.mmap,
    discard: () => {
      throw new HalError('UNEXPECTED_CALL', 'nobody expected a discard');
    },
  };
  const machine = makeMachine({ mmap, ram: plain.ram });
  machine.device.activate({
    features: featureSet([32]),
    queues: [
      { index: 0, ...plain.inflate.layout, nextAvail: 0 },
      { index: 1, ...plain.deflate.layout, nextAvail: 0 },
    ],
    config: new Uint8Array(8),
  });
  plain.inflate.post(frameList(plain, [FRAME]));
  t.throws(() => machine.device.kick(0), { code: 'UNEXPECTED_CALL' });
  t.is(plain.inflate.usedIndex, 0);
});
