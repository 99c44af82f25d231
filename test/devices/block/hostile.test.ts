import test, { type ExecutionContext } from 'ava';
import { HIGH, LOW_END } from '../harness.js';
import {
  type BlockMachine,
  boot,
  bootedMachine,
  bytesAt,
  DATA,
  DISK_SECTORS,
  FLUSH,
  frame,
  GET_ID,
  IN,
  IOERR,
  makeBlockMachine,
  OK,
  OUT,
  outcomeOf,
  pattern,
  request,
  room,
  SECTOR,
  sent,
  UNTOUCHED,
} from './harness.js';

const NEEDS_RESET = 0x40;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4] as const;

/** The device still reads. */
function stillWorks(t: ExecutionContext, machine: BlockMachine): void {
  machine.guest.write(DATA, new Uint8Array(SECTOR));
  t.deepEqual(request(machine, IN, 1, room(SECTOR)), { status: OK, length: SECTOR + 1 });
  t.deepEqual(bytesAt(machine, DATA, SECTOR), machine.image.slice(SECTOR, 2 * SECTOR));
}

test('without a place for the status a request is given back and not done', (t) => {
  const machine = bootedMachine();
  const before = machine.image.slice();
  const { header, status } = frame(machine, OUT, 0);
  const data = sent(machine, pattern(SECTOR, 1));
  const chains = [
    [header, data],
    [header, data, room(0, status.address)],
    [header, data, room(1, LOW_END)],
    [header, data, room(1, 2 ** 63)],
    [header, data, room(2, LOW_END - 1)],
  ];
  for (const chain of chains) {
    const head = machine.queue.post(...chain);
    machine.driver.kick(0);
    const outcome = outcomeOf(machine, head, status.address);
    t.deepEqual(outcome, { status: UNTOUCHED, length: 0 });
  }
  t.is(machine.faults.of('block-no-status'), 2);
  t.is(machine.faults.of('buffer-outside-ram'), 3);
  t.deepEqual(machine.image, before);
  stillWorks(t, machine);
});

test('a header that is too short, not there, or not in RAM', (t) => {
  const machine = bootedMachine();
  const bad = { status: IOERR, length: 1 };
  const attempt = (...header: readonly { address: number; length: number }[]) => {
    const { status } = frame(machine, IN, 0);
    const head = machine.queue.post(...header, room(SECTOR), status);
    machine.driver.kick(0);
    return outcomeOf(machine, head, status.address);
  };
  t.deepEqual(attempt(), bad);
  t.deepEqual(attempt({ address: DATA, length: 15 }), bad);
  t.is(machine.faults.of('block-header'), 2);
  t.deepEqual(attempt({ address: LOW_END, length: 16 }), bad);
  t.deepEqual(attempt({ address: LOW_END - 8, length: 16 }), bad);
  t.deepEqual(attempt({ address: DATA, length: 8 }, { address: HIGH - 8, length: 8 }), bad);
  t.is(machine.faults.of('buffer-outside-ram'), 3);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('data outside of RAM: nothing is moved, not even what is inside', (t) => {
  const machine = bootedMachine();
  const before = machine.image.slice();
  machine.guest.write(DATA, pattern(SECTOR, 8));
  const outside = [LOW_END, LOW_END - SECTOR / 2, HIGH - SECTOR / 2, 2 ** 52, 2 ** 64 - 2 ** 20];
  for (const address of outside) {
    const bad = { status: IOERR, length: 1 };
    t.deepEqual(request(machine, IN, 0, room(SECTOR), room(SECTOR, address)), bad);
    const readable = { address, length: SECTOR };
    t.deepEqual(request(machine, OUT, 0, { address: DATA, length: SECTOR }, readable), bad);
  }
  t.is(machine.faults.of('buffer-outside-ram'), 2 * outside.length);
  t.deepEqual(bytesAt(machine, DATA, SECTOR), pattern(SECTOR, 8));
  t.deepEqual(machine.image, before);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('sectors that the disk does not have', (t) => {
  const machine = bootedMachine();
  const beyond = [DISK_SECTORS, DISK_SECTORS - 1, 2 ** 32, 2 ** 44, 2 ** 53, 2 ** 55, 2 ** 63];
  for (const sector of beyond) {
    const bad = { status: IOERR, length: 1 };
    t.deepEqual(request(machine, IN, sector, room(2 * SECTOR)), bad);
    t.deepEqual(request(machine, OUT, sector, sent(machine, pattern(2 * SECTOR))), bad);
  }
  t.is(machine.faults.of('block-range'), 2 * beyond.length);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('lengths that are no whole sectors, and an id of another length', (t) => {
  const machine = bootedMachine();
  const bad = { status: IOERR, length: 1 };
  for (const length of [1, SECTOR - 1, SECTOR + 1, 2 * SECTOR + 511]) {
    t.deepEqual(request(machine, IN, 0, room(length)), bad);
    t.deepEqual(request(machine, OUT, 0, sent(machine, pattern(length))), bad);
  }
  for (const length of [0, 19, 21]) t.deepEqual(request(machine, GET_ID, 0, room(length)), bad);
  t.is(machine.faults.of('block-length'), 11);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('more than a request may move, in segments of 4 GiB', (t) => {
  const machine = bootedMachine();
  const huge = Array.from({ length: 200 }, () => room(2 ** 32 - SECTOR, 0));
  t.deepEqual(request(machine, IN, 0, ...huge), { status: IOERR, length: 1 });
  t.is(machine.faults.of('block-range') + machine.faults.of('block-over-limit'), 1);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('data on the wrong side of a request is no data', (t) => {
  const machine = bootedMachine();
  const before = machine.image.slice();
  // A read with something to send reads nothing; a write with room writes nothing.
  t.deepEqual(request(machine, IN, 0, sent(machine, pattern(SECTOR))), { status: OK, length: 1 });
  t.deepEqual(request(machine, OUT, 0, room(SECTOR)), { status: OK, length: 1 });
  t.deepEqual(machine.image, before);
  stillWorks(t, machine);
});

test('chains that are no chains are given back, and only they', (t) => {
  const machine = bootedMachine();
  const { queue, driver } = machine;
  const { header, status } = frame(machine, IN, 0);
  const post = (head: number): void => {
    queue.pushHead(head);
    driver.kick(0);
  };
  // Readable behind writable.
  queue.writeDescriptor(100, status.address, 1, NEXT | WRITE, 101);
  queue.writeDescriptor(101, header.address, 16, 0, 0);
  post(100);
  // A loop, a next that is none, an indirect descriptor, and a head that is none.
  queue.writeDescriptor(110, header.address, 16, NEXT, 111);
  queue.writeDescriptor(111, header.address, 16, NEXT, 110);
  post(110);
  queue.writeDescriptor(120, header.address, 16, NEXT, 256);
  post(120);
  queue.writeDescriptor(130, DATA, 48, INDIRECT, 0);
  post(130);
  post(256);
  const used = queue.takeUsed();
  t.deepEqual(
    used,
    [100, 110, 120, 130].map((id) => ({ id, length: 0 })),
  );
  const { faults } = machine;
  const kinds = ['readable-after-writable', 'descriptor-reused', 'bad-next'] as const;
  t.deepEqual(
    kinds.map((kind) => faults.of(kind)),
    [1, 1, 1],
  );
  t.is(faults.of('indirect-descriptor'), 1);
  t.is(faults.of('bad-head'), 1);
  t.deepEqual(machine.calls, []);
  stillWorks(t, machine);
});

test('an index that jumps: the driver has to reset, and can', (t) => {
  const machine = bootedMachine();
  machine.queue.setAvailIndex(300);
  machine.driver.kick(0);
  t.is(machine.driver.status & NEEDS_RESET, NEEDS_RESET);
  t.is(machine.faults.of('avail-index-jump'), 1);
  machine.driver.kick(0);
  machine.driver.writeStatus(0);
  machine.queue.restart();
  boot(machine);
  stillWorks(t, machine);
});

test('data that is read over the ring itself', (t) => {
  const machine = bootedMachine({ image: new Uint8Array(64 * SECTOR).fill(0xff) });
  const { queue, driver } = machine;
  const { header, status } = frame(machine, IN, 0);
  const ring = room(16 * SECTOR, queue.descriptors);
  queue.post(header, ring, status);
  queue.post(header, room(SECTOR), status);
  driver.kick(0);
  t.is(queue.usedIndex, 2, 'the index is written behind the data');
  // The avail index is 0xffff now: far ahead, so the queue is broken and not read any more.
  driver.kick(0);
  t.is(driver.status & NEEDS_RESET, NEEDS_RESET);
  driver.writeStatus(0);
  queue.restart();
  boot(machine);
  t.is(request(machine, IN, 0, room(SECTOR)).status, OK);
});

test('a status that lies in the data: written last', (t) => {
  const machine = bootedMachine({ image: new Uint8Array(8 * SECTOR).fill(0xee) });
  const { header } = frame(machine, IN, 0);
  const head = machine.queue.post(header, room(SECTOR), room(1, DATA + 9));
  machine.driver.kick(0);
  t.deepEqual(outcomeOf(machine, head, DATA + 9), { status: OK, length: SECTOR + 1 });
});

test('kicks before the activation, of other queues and after a reset', (t) => {
  const machine = makeBlockMachine();
  machine.device.queueNotify(0);
  machine.driver.kick(0);
  machine.driver.negotiate();
  machine.driver.setUpQueue(0, machine.queue.layout);
  const { header, status } = frame(machine, IN, 0);
  const head = machine.queue.post(header, room(SECTOR), status);
  machine.driver.kick(0);
  t.is(machine.queue.usedIndex, 0);
  machine.driver.writeStatus(0xf);
  const served = outcomeOf(machine, head, status.address);
  t.deepEqual(served, { status: OK, length: SECTOR + 1 }, 'it is found at the activation');
  machine.queue.post(header, room(SECTOR), status);
  machine.driver.kick(1);
  machine.device.queueNotify(1);
  t.is(machine.queue.usedIndex, 1);
  machine.driver.kick(0);
  t.is(machine.queue.usedIndex, 2);
  machine.driver.writeStatus(0);
  machine.queue.post(header, room(SECTOR), status);
  machine.driver.kick(0);
  machine.device.queueNotify(0);
  t.is(machine.queue.usedIndex, 2);
  t.false(machine.device.isActive);
});

test('queues and features that cannot be', (t) => {
  const refusal = (change: object) => {
    const machine = makeBlockMachine();
    const queue = { index: 0, nextAvail: 0, ...machine.queue.layout, ...change };
    const features = { low: 0, high: 1 };
    const config = machine.transport.config;
    return machine.device.activate({ features, queues: [queue], config });
  };
  t.is(refusal({}), undefined);
  t.deepEqual(refusal({ size: 0 }), { reason: 'bad-size', queue: 0 });
  t.deepEqual(refusal({ size: 48 }), { reason: 'bad-size', queue: 0 });
  t.deepEqual(refusal({ size: 512 }), { reason: 'bad-size', queue: 0 });
  t.deepEqual(refusal({ descriptors: 8 }), { reason: 'misaligned', queue: 0 });
  t.deepEqual(refusal({ used: LOW_END - 4 }), { reason: 'outside-ram', queue: 0 });
  t.deepEqual(refusal({ used: DATA, avail: DATA }), { reason: 'overlapping', queue: 0 });
  t.deepEqual(refusal({ index: 1 }), { reason: 'unknown-queue', queue: 1 });
  const { device, transport } = makeBlockMachine();
  const activate = (low: number) =>
    device.activate({ features: { low, high: 1 }, queues: [], config: transport.config });
  t.deepEqual(activate(0), { reason: 'missing-queue', queue: 0 });
  t.deepEqual(activate(1 << 12), { reason: 'features', queue: undefined });
  t.is(device.metrics.activationFailures, 2);
  t.false(device.isActive);
});

test('the driver may write nothing in the config space', (t) => {
  const machine = bootedMachine();
  const before = machine.transport.config;
  machine.driver.write32(0x100, 0);
  machine.driver.write32(0x200 - 4, 7);
  machine.device.configWritten();
  t.deepEqual(machine.transport.config, before);
  t.is(machine.faults.of('config-access'), 3);
  t.is(request(machine, FLUSH, 0).status, OK);
});
