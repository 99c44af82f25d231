import test from 'ava';
import { SnapshotError } from '../../../src/devices/snapshot-error.js';
import {
  type BlockMachine,
  boot,
  bootedMachine,
  bytesAt,
  DATA,
  frame,
  IN,
  makeBlockMachine,
  OK,
  OUT,
  outcomeOf,
  pattern,
  request,
  room,
  SECTOR,
  sent,
} from './harness.js';

function postRead(machine: BlockMachine, sector: number) {
  const { header, status } = frame(machine, IN, sector);
  return { head: machine.queue.post(header, room(SECTOR), status), status: status.address };
}

test('a reset device starts again with the next driver', (t) => {
  const machine = bootedMachine();
  request(machine, OUT, 0, sent(machine, pattern(SECTOR, 1)));
  machine.driver.writeStatus(0);
  t.false(machine.device.isActive);
  t.is(machine.driver.read32(0x60), 0);
  machine.queue.restart();
  boot(machine);
  t.is(request(machine, IN, 0, room(SECTOR)).status, OK);
  t.deepEqual(bytesAt(machine, DATA, SECTOR), pattern(SECTOR, 1));
  t.is(machine.device.metrics.resets, 1);
  t.is(machine.device.metrics.activations, 2);
});

test('a driver without FLUSH after one with it, and the other way', (t) => {
  const machine = bootedMachine();
  const write = () => request(machine, OUT, 0, sent(machine, pattern(SECTOR)));
  const again = (wanted: number) => {
    machine.driver.writeStatus(0);
    machine.queue.restart();
    boot(machine, wanted);
  };
  write();
  again(0xffffffff & ~(1 << 9));
  write();
  again(0xffffffff);
  write();
  t.deepEqual(machine.calls, ['writeFrom', 'writeFrom', 'flush', 'writeFrom']);
});

test('a restored device goes on, with what came meanwhile', (t) => {
  const machine = bootedMachine();
  request(machine, IN, 0, room(SECTOR));
  const snapshot = structuredClone(machine.device.snapshot());
  machine.transport.disconnect();
  const { head, status } = postRead(machine, 7);
  machine.driver.kick(0);
  const next = machine.newDevice();
  next.restore(snapshot);
  machine.transport.connect(next, 'active');
  t.deepEqual(outcomeOf(machine, head, status), { status: OK, length: SECTOR + 1 });
  t.deepEqual(bytesAt(machine, DATA, SECTOR), machine.image.slice(7 * SECTOR, 8 * SECTOR));
  t.is(request(machine, IN, 1, room(SECTOR)).status, OK);
});

test('a snapshot keeps whether the driver flushes', (t) => {
  const machine = makeBlockMachine();
  boot(machine, 0xffffffff & ~(1 << 9));
  const next = machine.newDevice();
  next.restore(machine.device.snapshot());
  machine.transport.connect(next, 'active');
  request(machine, OUT, 0, sent(machine, pattern(SECTOR)));
  t.deepEqual(machine.calls, ['writeFrom', 'flush']);
});

test('a snapshot from before the activation', (t) => {
  const machine = makeBlockMachine();
  const next = machine.newDevice();
  next.restore(machine.device.snapshot());
  t.false(next.isActive);
  machine.transport.connect(next);
  boot(machine);
  t.is(request(machine, IN, 0, room(SECTOR)).status, OK);
});

test('snapshots of other disks are refused, and change nothing', (t) => {
  const machine = bootedMachine();
  const snapshot = machine.device.snapshot();
  const code = 'FEATURES_DIFFER';
  const readOnly = makeBlockMachine({ readOnly: true });
  t.throws(() => readOnly.device.restore(snapshot), { instanceOf: SnapshotError, code });
  const larger = makeBlockMachine({ image: pattern(1 << 20) });
  t.throws(() => larger.device.restore(snapshot), { instanceOf: SnapshotError, code });
  const unknown = { ...snapshot, features: { low: 1 << 12, high: 1 } };
  t.throws(() => machine.device.restore(unknown), { instanceOf: SnapshotError, code });
  const queue = { size: 3, descriptors: 0, avail: 0, used: 0, nextAvail: 0, nextUsed: 0 };
  const corrupt = { ...snapshot, queue };
  t.throws(() => machine.device.restore(corrupt), { instanceOf: SnapshotError, code: 'CORRUPT' });
  t.is(request(machine, IN, 0, room(SECTOR)).status, OK);
});

test('a device that was started again does what its predecessor took and did not finish', (t) => {
  const machine = bootedMachine();
  request(machine, IN, 0, room(SECTOR));
  machine.transport.disconnect();
  const { head, status } = postRead(machine, 3);
  const next = machine.newDevice();
  machine.transport.connect(next);
  t.deepEqual(outcomeOf(machine, head, status), { status: OK, length: SECTOR + 1 });
  t.deepEqual(bytesAt(machine, DATA, SECTOR), machine.image.slice(3 * SECTOR, 4 * SECTOR));
});
