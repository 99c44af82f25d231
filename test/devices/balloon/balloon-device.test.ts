import test from 'ava';
import { SnapshotError } from '../../../src/devices/snapshot-error.js';
import { featureSet } from '../../../src/devices/virtio/features.js';
import {
  boot,
  frameList,
  HIGH,
  LIST,
  LOW_END,
  MIB,
  makeMachine,
  RAM_BYTES,
  setUpQueues,
  statsRecord,
} from '../harness.js';

const FRAME = 0x200;

test('A2, D1: features and queues for each combination of options', (t) => {
  for (const mustTellHost of [false, true]) {
    for (const statsQueue of [false, true]) {
      for (const deflateOnOom of [false, true]) {
        const { driver, device } = makeMachine({
          features: { mustTellHost, statsQueue, deflateOnOom },
        });
        const bits = [32];
        if (mustTellHost) bits.push(0);
        if (statsQueue) bits.push(1);
        if (deflateOnOom) bits.push(2);
        t.deepEqual(device.offeredFeatures, featureSet(bits));
        const sizes = [0, 1, 2].map((index) => driver.queueMax(index));
        t.deepEqual(sizes, [128, 128, statsQueue ? 128 : 0]);
        driver.write32(0x14, 0);
        t.is(driver.read32(0x10), device.offeredFeatures.low);
      }
    }
  }
});

test('A3, D3, D10: a target is pages in config space, with one interrupt for each change', (t) => {
  const machine = makeMachine();
  t.is(machine.device.setTargetBytes(16 * MIB), 'set');
  t.deepEqual([...machine.transport.read(0x100, 4)], [0, 0x10, 0, 0]);
  boot(machine);
  t.is(machine.interrupts(), 0, 'the driver reads it when it comes up');
  machine.device.setTargetBytes(16 * MIB + 4095);
  t.is(machine.interrupts(), 0, 'the same number of pages');
  const generation = machine.driver.read32(0xfc);
  machine.device.setTargetBytes(0);
  t.is(machine.interrupts(), 1);
  t.is(machine.statusWord(), 2);
  t.is(machine.driver.read32(0x100), 0);
  t.not(machine.driver.read32(0xfc), generation);
});

test('B7: a target above RAM, or above RAM less the floor, is refused and changes nothing', (t) => {
  const { device } = makeMachine();
  t.is(device.setTargetBytes(RAM_BYTES), 'set');
  for (const bad of [RAM_BYTES + 1, 2 ** 53, Number.POSITIVE_INFINITY, -1, Number.NaN]) {
    t.is(device.setTargetBytes(bad), 'above-limit');
  }
  t.is(device.targetPages, RAM_BYTES / 4096);
  const floored = makeMachine({ floorBytes: 8 * MIB }).device;
  t.is(floored.setTargetBytes(20 * MIB), 'set');
  t.is(floored.setTargetBytes(20 * MIB + 4096), 'above-limit');
});

test('B6, R13: only `actual` is the driver’s; any value of it is survived', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.device.setTargetBytes(4 * MIB);
  machine.driver.write32(0x100, 7);
  t.is(machine.driver.read32(0x100), 1024);
  t.is(machine.device.targetPages, 1024);
  machine.driver.write32(0x104, 1024);
  t.is(machine.device.actualPages, 1024);
  t.is(machine.device.remainingBytes, RAM_BYTES - 4 * MIB);
  machine.driver.write32(0x104, 0xffffffff);
  t.is(machine.device.remainingBytes, 0);
  t.deepEqual(machine.actuals, [1024, 0xffffffff]);
  machine.device.configWritten(0, new Uint8Array(4));
  machine.device.configWritten(4, new Uint8Array(2));
  t.is(machine.device.actualPages, 0xffffffff);
  t.is(machine.faults.of('config-access'), 3);
});

test('B11, R15: a reset keeps the target, drops the rest, and the next driver inflates again', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.device.setTargetBytes(4 * MIB);
  machine.driver.write32(0x104, 12);
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.writeStatus(0);
  t.false(machine.device.isActive);
  t.is(machine.device.actualPages, 0);
  t.is(machine.driver.read32(0x104), 0);
  t.is(machine.driver.read32(0x100), 1024);
  machine.calls.length = 0;
  machine.driver.kick(0);
  machine.device.kick(0);
  t.deepEqual(machine.calls, [], 'R14: a kick after reset touches nothing');
  machine.inflate.restart();
  boot(machine);
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(0);
  t.is(machine.inflate.takeUsed().length, 1);
});

test('R14, A10: what was posted and kicked before DRIVER_OK is served after it', (t) => {
  const machine = makeMachine();
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(0);
  t.is(machine.inflate.usedIndex, 0);
  boot(machine);
  t.is(machine.inflate.takeUsed().length, 1);
});

test('R7, R8, M9: queues that cannot be are refused with a reason and NEEDS_RESET', (t) => {
  const machine = makeMachine();
  const { inflate, deflate, driver, faults, device } = machine;
  const cases = [
    { ...inflate.layout, size: 0 },
    { ...inflate.layout, size: 100 },
    { ...inflate.layout, size: 256 },
    { ...inflate.layout, used: inflate.avail },
    { ...inflate.layout, avail: LOW_END },
    { ...inflate.layout, descriptors: HIGH - 16 },
    { ...inflate.layout, descriptors: 2 ** 64 - 2 ** 12 },
    { ...inflate.layout, used: inflate.used + 1 },
  ];
  for (const layout of cases) {
    driver.negotiate();
    driver.setUpQueue(0, layout);
    driver.setUpQueue(1, deflate.layout);
    driver.writeStatus(0xf);
    t.is(driver.status, 0x4f);
    driver.kick(0);
    driver.writeStatus(0);
  }
  t.is(faults.of('activation-refused'), cases.length);
  t.is(device.metrics.activationFailures, cases.length);
  boot(machine);
  t.is(driver.status, 0xf, 'a driver that does it right comes up');
});

test('an activation without a deflate queue, with an unknown one or unknown features is refused', (t) => {
  const { device, inflate, deflate } = makeMachine();
  const config = new Uint8Array(8);
  const features = featureSet([32]);
  const queue = (index: number) => ({ index, ...inflate.layout, nextAvail: 0 });
  t.deepEqual(device.activate({ features, queues: [queue(0)], config }), {
    reason: 'missing-queue',
    queue: 1,
  });
  const three = { index: 3, ...deflate.layout, nextAvail: 0 };
  t.deepEqual(device.activate({ features, queues: [queue(0), queue(1), three], config }), {
    reason: 'unknown-queue',
    queue: 3,
  });
  const more = featureSet([32, 5]);
  t.deepEqual(device.activate({ features: more, queues: [queue(0), queue(1)], config }), {
    reason: 'features',
    queue: undefined,
  });
  t.false(device.isActive);
});

test('R7: queues whose rings overlap one another do no harm', (t) => {
  const machine = makeMachine();
  machine.driver.negotiate();
  machine.driver.setUpQueue(0, machine.inflate.layout);
  machine.driver.setUpQueue(1, machine.inflate.layout);
  machine.driver.writeStatus(0xf);
  t.is(machine.driver.status, 0xf);
  for (let round = 0; round < 300; round++) {
    machine.inflate.post(frameList(machine, [FRAME]));
    machine.driver.kick(round % 2);
  }
  t.pass('survived');
});

test('a restarted device does again what its predecessor took and did not acknowledge', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.device.setTargetBytes(4 * MIB);
  machine.driver.write32(0x104, 5);
  machine.inflate.post(frameList(machine, [FRAME]));
  machine.driver.kick(0);
  machine.stats.post({ address: LIST, length: 0 });
  machine.driver.kick(2);
  machine.transport.disconnect();
  const head = machine.inflate.post(frameList(machine, [FRAME + 1]));
  machine.driver.kick(0);
  const second = machine.newDevice();
  machine.transport.connect(second);
  t.deepEqual(machine.inflate.takeUsed().at(-1), { id: head, length: 0 });
  t.is(second.metrics.inflatedPages, 1);
  t.is(second.targetPages, 1024, 'the config space outlived the device');
  t.is(second.actualPages, 5);
  t.is(second.requestStats(0), 1, 'the statistics buffer was taken over');
  t.is(machine.stats.takeUsed().length, 1);
});

test('a target that was set before the activation is newer than the config space', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.device.setTargetBytes(4 * MIB);
  const second = machine.newDevice();
  machine.transport.disconnect();
  second.setTargetBytes(8 * MIB);
  machine.transport.connect(second);
  t.is(second.targetPages, 2048);
  t.is(machine.driver.read32(0x100), 2048);
});

test('B12, K1, A18: a restored balloon goes on, with the statistics buffer it held', (t) => {
  const machine = makeMachine();
  boot(machine);
  machine.device.setTargetBytes(4 * MIB);
  machine.driver.write32(0x104, 9);
  machine.guest.write(LIST, Uint8Array.from(statsRecord(4, 1)));
  const held = machine.stats.post({ address: LIST, length: 10 });
  machine.driver.kick(2);
  machine.inflate.post(frameList(machine, [FRAME], LIST + 0x100));
  machine.driver.kick(0);
  const snapshot = structuredClone(machine.device.snapshot());
  // Between suspend and restore the driver goes on posting.
  machine.inflate.post(frameList(machine, [FRAME + 1], LIST + 0x200));
  const restored = machine.newDevice();
  machine.transport.disconnect();
  restored.restore(snapshot);
  machine.transport.connect(restored, 'active');
  t.deepEqual({ ...restored.snapshot(), queues: [] }, { ...snapshot, queues: [] });
  t.is(restored.metrics.inflatedPages, 1);
  t.is(machine.inflate.takeUsed().length, 2);
  t.is(restored.requestStats(0), 1);
  t.deepEqual(machine.stats.takeUsed(), [{ id: held, length: 0 }]);
  machine.stats.post({ address: LIST, length: 10 });
  machine.driver.kick(2);
  t.deepEqual(machine.samples, [{ request: 1, stats: { freeBytes: 1 } }]);
});

test('A18: a snapshot before activation restores an inactive balloon', (t) => {
  const machine = makeMachine();
  machine.device.setTargetBytes(MIB);
  const restored = machine.newDevice();
  restored.restore(machine.device.snapshot());
  t.false(restored.isActive);
  t.is(restored.targetPages, 256);
});

test('B12: a snapshot of other features, or one that cannot be, is refused and changes nothing', (t) => {
  const machine = makeMachine();
  machine.driver.negotiate();
  setUpQueues(machine);
  machine.driver.writeStatus(0xf);
  const snapshot = machine.device.snapshot();
  const other = makeMachine({ features: { deflateOnOom: false } }).device;
  t.throws(() => other.restore(snapshot), { instanceOf: SnapshotError, code: 'FEATURES_DIFFER' });
  const fresh = machine.newDevice();
  const foreign = { ...snapshot, features: featureSet([32, 7]) };
  t.throws(() => fresh.restore(foreign), { code: 'FEATURES_DIFFER' });
  const [first, ...rest] = snapshot.queues;
  if (first === undefined) throw new Error('the snapshot has queues');
  const badQueues = [
    { ...first, size: 3 },
    { ...first, avail: LOW_END },
    { ...first, index: 9 },
  ];
  for (const bad of badQueues) {
    const corrupt = { ...snapshot, queues: [bad, ...rest] };
    t.throws(() => fresh.restore(corrupt), { code: 'CORRUPT' });
  }
  const badStats = { ...snapshot, stats: { isReady: true, heldHead: 128 } };
  t.throws(() => fresh.restore(badStats), { code: 'CORRUPT' });
  t.false(fresh.isActive);
});
