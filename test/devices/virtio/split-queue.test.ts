import test from 'ava';
import { GuestFaults } from '../../../src/devices/virtio/guest-faults.js';
import { GuestMemory } from '../../../src/devices/virtio/guest-memory.js';
import { SplitQueue, validateQueue } from '../../../src/devices/virtio/split-queue.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { DriverQueue } from '../driver-model.js';
import { LOW_END, MIB, makeRam } from '../harness.js';

const BASE = 0x10000;

function setup(size = 8) {
  const mmap = simulatedMemory().create({});
  const ram = makeRam(mmap);
  const memory = new GuestMemory(mmap, ram);
  const driver = new DriverQueue(mmap, ram[0]?.region ?? 0, BASE, size);
  const faults = new GuestFaults();
  const queue = new SplitQueue(memory, driver.layout, faults, { nextAvail: 0 });
  const giveAllBack = () => {
    for (let chain = 0; chain < queue.batch.length; chain++) {
      queue.giveBack(queue.batch.headOf(chain), 0);
    }
    return queue.publish();
  };
  return { mmap, memory, driver, faults, queue, giveAllBack };
}

test('Q1: chains are taken with all their descriptors, readable before writable', (t) => {
  const { driver, queue } = setup();
  driver.post(
    { address: 0x1000, length: 10 },
    { address: 0x2000, length: 20 },
    { address: 2 ** 33, length: 30, writable: true },
  );
  driver.post({ address: 0x4000, length: 40 });
  t.is(queue.drain(), 'drained');
  const { batch } = queue;
  t.is(batch.length, 2);
  t.is(batch.firstOf(1), 3);
  t.is(batch.firstOf(2), 4);
  t.deepEqual(
    [0, 1, 2, 3].map((d) => batch.addressOf(d)),
    [0x1000, 0x2000, 2 ** 33, 0x4000],
  );
  t.deepEqual(
    [0, 1, 2, 3].map((d) => batch.lengthOf(d)),
    [10, 20, 30, 40],
  );
  t.deepEqual(
    [0, 1, 2, 3].map((d) => batch.isWritable(d)),
    [false, false, true, false],
  );
});

test('Q2: both indices run freely over 2^16 and the rings wrap', (t) => {
  const { driver, queue, giveAllBack } = setup(8);
  let expected = 0;
  for (let round = 0; round < 15_000; round++) {
    const count = 1 + (round % 8);
    const heads = Array.from({ length: count }, () => driver.post({ address: 0x1000, length: 4 }));
    t.is(queue.drain(), 'drained');
    giveAllBack();
    expected = (expected + count) & 0xffff;
    if (driver.usedIndex !== expected) t.fail(`used.idx is ${driver.usedIndex} in round ${round}`);
    const ids = driver.takeUsed().map((element) => element.id);
    if (ids.join() !== heads.join()) t.fail(`round ${round}: ${ids} for ${heads}`);
  }
  t.is(queue.drain(), 'empty');
});

test('Q4: the driver can do without interrupts', (t) => {
  const { driver, queue, giveAllBack } = setup();
  driver.post({ address: 0x1000, length: 4 });
  queue.drain();
  t.true(giveAllBack());
  driver.setAvailFlags(1);
  driver.post({ address: 0x1000, length: 4 });
  queue.drain();
  t.false(giveAllBack());
  t.is(driver.usedIndex, 2);
});

test('used elements carry the length written, and are not visible before publish', (t) => {
  const { driver, queue } = setup();
  const head = driver.post({ address: 0x1000, length: 4, writable: true });
  queue.drain();
  queue.giveBack(head, 4);
  t.is(driver.usedIndex, 0);
  queue.publish();
  t.deepEqual(driver.takeUsed(), [{ id: head, length: 4 }]);
});

test('R1: an avail index that jumps too far breaks the queue for good', (t) => {
  const { driver, queue, faults } = setup(8);
  driver.setAvailIndex(9);
  t.is(queue.drain(), 'broken');
  driver.setAvailIndex(1);
  t.is(queue.drain(), 'broken');
  t.true(queue.isBroken);
  t.is(faults.of('avail-index-jump'), 1);
  t.is(queue.batch.length, 0);
});

test('R1: a full queue is no jump; an index that goes back is', (t) => {
  const { driver, queue, faults, giveAllBack } = setup(8);
  for (let index = 0; index < 8; index++) driver.post({ address: 0x1000, length: 4 });
  t.is(queue.drain(), 'drained');
  t.is(queue.batch.length, 8);
  giveAllBack();
  driver.setAvailIndex(7);
  t.is(queue.drain(), 'broken');
  t.is(faults.of('avail-index-jump'), 1);
});

test('R2: a head that is no descriptor is consumed and counted, and the next one is served', (t) => {
  const { driver, queue, faults } = setup(8);
  driver.pushHead(8);
  driver.pushHead(0xffff);
  const head = driver.post({ address: 0x1000, length: 4 });
  t.is(queue.drain(), 'drained');
  t.is(queue.batch.length, 1);
  t.is(queue.batch.headOf(0), head);
  t.is(faults.of('bad-head'), 2);
  t.is(queue.nextAvail, 3);
});

test('R3: next out of the table, loops and shared descriptors end; the chain is malformed', (t) => {
  const { driver, queue, faults } = setup(8);
  driver.writeDescriptor(0, 0x1000, 4, 1, 8);
  driver.writeDescriptor(1, 0x1000, 4, 1, 1);
  driver.writeDescriptor(2, 0x1000, 4, 1, 3);
  driver.writeDescriptor(3, 0x1000, 4, 1, 2);
  driver.writeDescriptor(4, 0x1000, 4, 0, 0);
  driver.writeDescriptor(5, 0x1000, 4, 1, 4);
  for (const head of [0, 1, 2, 4, 5, 4]) driver.pushHead(head);
  t.is(queue.drain(), 'drained');
  const { batch } = queue;
  t.is(batch.length, 6);
  const malformed = [0, 1, 2, 3, 4, 5].map((chain) => batch.isMalformed(chain));
  t.deepEqual(malformed, [true, true, true, false, true, true]);
  t.is(batch.firstOf(6), 1, 'only the good chain has descriptors');
  t.is(faults.of('bad-next'), 1);
  t.is(faults.of('descriptor-reused'), 4);
});

test('R3: a chain through the whole table is legal', (t) => {
  const { driver, queue, faults } = setup(8);
  driver.post(...Array.from({ length: 8 }, () => ({ address: 0x1000, length: 4 })));
  t.is(queue.drain(), 'drained');
  t.is(queue.batch.firstOf(1), 8);
  t.is(faults.of('descriptor-reused'), 0);
});

test('R4: indirect descriptors were not negotiated', (t) => {
  const { driver, queue, faults } = setup();
  driver.post({ address: 0x1000, length: 16, flags: 4 });
  driver.post({ address: 0x1000, length: 16, flags: 4 | 1 });
  driver.post({ address: 0x1000, length: 4 }, { address: 0x2000, length: 17, flags: 4 });
  t.is(queue.drain(), 'drained');
  t.deepEqual(
    [0, 1, 2].map((chain) => queue.batch.isMalformed(chain)),
    [true, true, true],
  );
  t.is(faults.of('indirect-descriptor'), 3);
});

test('R6: readable after writable is refused, zero length is not', (t) => {
  const { driver, queue, faults } = setup();
  driver.post({ address: 0x1000, length: 4, writable: true }, { address: 0x1000, length: 4 });
  driver.post({ address: 0x1000, length: 0 });
  t.is(queue.drain(), 'drained');
  t.true(queue.batch.isMalformed(0));
  t.false(queue.batch.isMalformed(1));
  t.is(queue.batch.lengthOf(queue.batch.firstOf(1)), 0);
  t.is(faults.of('readable-after-writable'), 1);
});

test('R7: what cannot be a queue is not activated', (t) => {
  const { memory } = setup();
  const good = { size: 8, descriptors: 0x1000, avail: 0x2000, used: 0x3000 };
  t.is(validateQueue(memory, good, 128), undefined);
  t.is(validateQueue(memory, { ...good, size: 0 }, 128), 'bad-size');
  t.is(validateQueue(memory, { ...good, size: 12 }, 128), 'bad-size');
  t.is(validateQueue(memory, { ...good, size: 256 }, 128), 'bad-size');
  t.is(validateQueue(memory, { ...good, size: 2 ** 31 }, 128), 'bad-size');
  t.is(validateQueue(memory, { ...good, descriptors: 0x1008 }, 128), 'misaligned');
  t.is(validateQueue(memory, { ...good, avail: 0x2001 }, 128), 'misaligned');
  t.is(validateQueue(memory, { ...good, used: 0x3002 }, 128), 'misaligned');
  t.is(validateQueue(memory, { ...good, used: LOW_END }, 128), 'outside-ram');
  t.is(validateQueue(memory, { ...good, used: LOW_END - 8 }, 128), 'outside-ram');
  t.is(validateQueue(memory, { ...good, descriptors: 2 ** 60 }, 128), 'outside-ram');
  t.is(validateQueue(memory, { ...good, avail: 0x1040 }, 128), 'overlapping');
  t.is(validateQueue(memory, { ...good, used: 0x2014 }, 128), 'overlapping');
  t.is(validateQueue(memory, { ...good, descriptors: 16 * MIB - 64 }, 128), undefined);
});

test('a queue whose rings lie over two parts of RAM works', (t) => {
  const mmap = simulatedMemory().create({});
  const ram = makeRam(mmap);
  const memory = new GuestMemory(mmap, ram);
  const used = 16 * MIB - 4;
  const layout = { size: 8, descriptors: 0x1000, avail: 16 * MIB - 10 * 4096, used };
  t.is(validateQueue(memory, layout, 128), undefined);
  const queue = new SplitQueue(memory, layout, new GuestFaults(), { nextAvail: 0 });
  memory.storeReleaseU16(layout.avail + 2, 2);
  memory.write(layout.avail + 4, new Uint8Array([1, 0, 2, 0]));
  t.is(queue.drain(), 'drained');
  queue.giveBack(1, 0);
  queue.giveBack(2, 0);
  queue.publish();
  const words = new Uint32Array(5);
  memory.readU32Array(used, words);
  t.deepEqual([...words], [2 << 16, 1, 0, 2, 0]);
});

test('Q9: a restored queue goes on exactly there', (t) => {
  const { memory, driver, faults, queue } = setup();
  driver.post({ address: 0x1000, length: 4 });
  driver.post({ address: 0x1000, length: 4 });
  queue.drain();
  queue.giveBack(0, 0);
  queue.publish();
  const { nextAvail, nextUsed, ...layout } = queue.snapshot();
  t.deepEqual({ nextAvail, nextUsed }, { nextAvail: 2, nextUsed: 1 });
  const again = new SplitQueue(memory, layout, faults, { nextAvail, nextUsed });
  t.is(again.drain(), 'empty');
  again.giveBack(1, 0);
  again.publish();
  t.deepEqual(
    driver.takeUsed().map((element) => element.id),
    [0, 1],
  );
});

test('a restarted queue does again what was taken and not given back', (t) => {
  const { memory, driver, faults, queue } = setup();
  for (let index = 0; index < 3; index++) driver.post({ address: 0x1000, length: 4 });
  queue.drain();
  queue.giveBack(0, 0);
  queue.publish();
  const again = new SplitQueue(memory, driver.layout, faults);
  t.is(again.nextAvail, 1);
  t.is(again.drain(), 'drained');
  t.deepEqual([again.batch.headOf(0), again.batch.headOf(1)], [1, 2]);
});

test('giving back more than the queue holds is our own mistake', (t) => {
  const { queue } = setup(2);
  queue.giveBack(0, 0);
  queue.giveBack(1, 0);
  t.throws(() => queue.giveBack(0, 0), { instanceOf: RangeError });
});
