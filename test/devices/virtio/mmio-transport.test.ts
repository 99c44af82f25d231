import test from 'ava';
import type { Activation, VirtioBackend } from '../../../src/devices/virtio/backend.js';
import { featureSet } from '../../../src/devices/virtio/features.js';
import { InterruptLine } from '../../../src/devices/virtio/interrupt.js';
import { MmioTransport } from '../../../src/devices/virtio/mmio-transport.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { MmioDriver } from '../driver-model.js';

const LAYOUT = { size: 64, descriptors: 0x1000, avail: 0x2000, used: 2 ** 32 + 0x3000 };

/** A transport with two queues, bits 0, 5 and 32 offered, 12 bytes of config, and a backend that takes notes. */
function setup() {
  const mmap = simulatedMemory().create({});
  const eventFds = simulatedEventFd();
  const eventFd = eventFds.create({ signalled: () => {} });
  const region = mmap.createRegion({ name: 'status', size: 4096 });
  const irq = eventFd.create({ name: 'irq' });
  const interrupt = new InterruptLine(mmap, eventFd, { region, offset: 0, eventfd: irq });
  const transport = new MmioTransport({
    deviceId: 5,
    features: featureSet([0, 5, 32]),
    queueSizes: [128, 64],
    config: Uint8Array.from({ length: 12 }, (_, index) => index),
    driverFields: [{ offset: 4, size: 4 }],
    interrupt,
  });
  const notes: string[] = [];
  const activations: Activation[] = [];
  let refuse = false;
  const backend: VirtioBackend = {
    activate: (activation) => {
      activations.push(activation);
      return refuse ? { reason: 'bad-size', queue: 0 } : undefined;
    },
    reset: () => {
      notes.push('reset');
    },
    queueNotify: (index) => {
      notes.push(`notify ${index}`);
    },
    configWritten: (offset, bytes) => {
      notes.push(`config ${offset} ${[...bytes]}`);
    },
  };
  transport.connect(backend);
  const driver = new MmioDriver(transport);
  const boot = () => {
    driver.negotiate();
    driver.setUpQueue(0, LAYOUT);
    driver.setUpQueue(1, LAYOUT);
    driver.writeStatus(0xf);
  };
  const interrupts = () => eventFds.take(irq);
  const refuseNext = () => {
    refuse = true;
  };
  return { transport, backend, driver, boot, notes, activations, interrupts, refuseNext };
}

test('the identification registers say virtio-mmio 2', (t) => {
  const { driver } = setup();
  t.is(driver.read32(0x00), 0x74726976);
  t.is(driver.read32(0x04), 2);
  t.is(driver.read32(0x08), 5);
  t.is(driver.read32(0x0c), driver.read32(0x0c));
});

test('device features are read by word, and there are two', (t) => {
  const { driver } = setup();
  const words = [0, 1, 2, 0xffffffff].map((word) => {
    driver.write32(0x14, word);
    return driver.read32(0x10);
  });
  t.deepEqual(words, [0b100001, 1, 0, 0]);
});

test('there is no shared memory', (t) => {
  const { driver } = setup();
  driver.write32(0xac, 0);
  t.deepEqual(
    [0xb0, 0xb4, 0xb8, 0xbc].map((offset) => driver.read32(offset)),
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
  );
});

test('queues have their own sizes, and one that does not exist has 0', (t) => {
  const { driver } = setup();
  t.deepEqual(
    [0, 1, 2, 0xffffffff].map((index) => driver.queueMax(index)),
    [128, 64, 0, 0],
  );
});

test('a driver comes up: the backend gets its features, queues and config', (t) => {
  const { driver, boot, activations, notes } = setup();
  boot();
  t.is(driver.status, 0xf);
  t.deepEqual(activations[0]?.features, featureSet([0, 5, 32]));
  const queue = { ...LAYOUT, nextAvail: 0 };
  t.deepEqual(activations[0]?.queues, [
    { index: 0, ...queue },
    { index: 1, ...queue },
  ]);
  t.is(activations[0]?.config.length, 12);
  t.deepEqual(notes, ['notify 0', 'notify 1'], 'M10: each queue is looked into once');
});

test('M1: interrupt status stays from the event to the ACK, bit by bit', (t) => {
  const { transport, driver, boot, interrupts } = setup();
  boot();
  transport.usedBuffer();
  transport.configChanged(0, new Uint8Array([9]));
  t.is(interrupts(), 2);
  t.is(driver.read32(0x60), 3);
  t.is(driver.read32(0x60), 3);
  driver.write32(0x64, 1);
  t.is(driver.read32(0x60), 2);
  driver.write32(0x64, 0xffffffff);
  t.is(driver.read32(0x60), 0);
});

test('M2, A11: reset goes back to the beginning', (t) => {
  const { transport, driver, boot, notes } = setup();
  const before = { ...transport.snapshot(), config: undefined };
  boot();
  transport.usedBuffer();
  driver.writeStatus(0);
  t.is(driver.status, 0);
  t.is(driver.read32(0x60), 0);
  for (const index of [0, 1]) {
    driver.write32(0x30, index);
    t.is(driver.read32(0x44), 0);
  }
  driver.write32(0x30, 0);
  t.deepEqual({ ...transport.snapshot(), config: undefined }, before);
  t.deepEqual(notes, ['notify 0', 'notify 1', 'reset']);
  boot();
  t.is(driver.status, 0xf);
});

test('M3, M13: the generation moves with every change of the device, and only then', (t) => {
  const { transport, driver, boot, interrupts } = setup();
  transport.configChanged(0, new Uint8Array([7]));
  t.is(driver.read32(0xfc), 1);
  t.is(interrupts(), 0, 'no interrupt before DRIVER_OK');
  boot();
  transport.configChanged(0, new Uint8Array([7]));
  t.is(driver.read32(0xfc), 1);
  t.is(interrupts(), 0);
  transport.configChanged(0, new Uint8Array([8]));
  t.is(driver.read32(0xfc), 2);
  t.is(interrupts(), 1);
  t.is(driver.read32(0x60), 2);
  t.throws(() => transport.configChanged(9, new Uint8Array(4)), { instanceOf: RangeError });
});

test('M4, R14: a queue that is not ready is not kicked', (t) => {
  const { driver, notes } = setup();
  driver.negotiate();
  driver.setUpQueue(0, LAYOUT);
  driver.writeStatus(0xf);
  driver.kick(0);
  driver.kick(1);
  t.deepEqual(notes, ['notify 0', 'notify 0']);
});

test('M5, A11: status only grows along its way, and FAILED stays until reset', (t) => {
  const { transport, driver } = setup();
  for (const bad of [2, 4, 8, 0xf, 0x100, 0xffffff00]) {
    driver.writeStatus(bad);
    t.is(driver.status, bad & 0x80 ? 0x80 : 0, `${bad}`);
    if (driver.status !== 0) driver.writeStatus(0);
  }
  driver.writeStatus(1);
  driver.writeStatus(0xb);
  t.is(driver.status, 1);
  driver.writeStatus(3);
  driver.writeStatus(1);
  t.is(driver.status, 3);
  const faults = transport.faults.of('bad-status');
  t.true(faults >= 6);
  driver.writeStatus(3);
  t.is(transport.faults.of('bad-status'), faults, 'the same again is no fault');
  driver.writeStatus(0x83);
  t.is(driver.status, 0x83);
  driver.writeStatus(0xb);
  t.is(driver.status, 0x83);
  driver.writeStatus(0);
  t.is(driver.status, 0);
});

test('M6, R8, A11: queue registers count between FEATURES_OK and DRIVER_OK only', (t) => {
  const { transport, driver, activations } = setup();
  driver.writeStatus(1);
  driver.writeStatus(3);
  driver.setUpQueue(0, LAYOUT);
  t.is(driver.read32(0x44), 0);
  t.is(transport.faults.of('register-state'), 8);
  driver.writeStatus(0);
  driver.negotiate();
  driver.setUpQueue(0, LAYOUT);
  driver.write32(0x38, 2);
  driver.write32(0x80, 0);
  t.is(transport.faults.of('register-state'), 10, 'nothing changes while the queue is ready');
  driver.setUpQueue(7, LAYOUT);
  t.is(transport.faults.of('register-state'), 18, 'no such queue');
  driver.writeStatus(0xf);
  driver.write32(0x30, 0);
  driver.write32(0x44, 0);
  t.is(driver.read32(0x44), 1);
  driver.writeStatus(0x8f);
  t.is(activations.length, 1);
  t.is(activations[0]?.queues[0]?.size, 64);
});

test('R8: QueueReady before the addresses leaves it to the backend to refuse', (t) => {
  const { driver, activations } = setup();
  driver.negotiate();
  driver.write32(0x30, 0);
  driver.write32(0x44, 1);
  driver.write32(0x80, 0x1000);
  driver.writeStatus(0xf);
  t.like(activations[0]?.queues[0], { size: 0, descriptors: 0, avail: 0, used: 0 });
});

test('R8: DRIVER_OK with no queue ready is a failed activation', (t) => {
  const { driver, activations, interrupts } = setup();
  driver.negotiate();
  driver.writeStatus(0xf);
  t.is(driver.status, 0x4f);
  t.is(activations.length, 0);
  t.is(interrupts(), 1);
});

test('M7, R18: features are masked by what is offered, and only before FEATURES_OK', (t) => {
  const { transport, driver } = setup();
  driver.write32(0x20, 1);
  t.deepEqual(transport.driverFeatures, featureSet([]));
  driver.writeStatus(1);
  driver.writeStatus(3);
  driver.write32(0x24, 0);
  driver.write32(0x20, 0xffffffff);
  driver.write32(0x24, 1);
  driver.write32(0x20, 0xffffffff);
  driver.write32(0x24, 2);
  driver.write32(0x20, 0xffffffff);
  t.deepEqual(transport.driverFeatures, featureSet([0, 5, 32]));
  t.is(transport.faults.of('feature-not-offered'), 3);
  driver.writeStatus(0xb);
  driver.write32(0x24, 0);
  driver.write32(0x20, 0);
  t.deepEqual(transport.driverFeatures, featureSet([0, 5, 32]));
  t.is(transport.faults.of('register-state'), 2);
});

test('M7, R18: without VERSION_1 there is no FEATURES_OK', (t) => {
  const { transport, driver } = setup();
  driver.writeStatus(1);
  driver.writeStatus(3);
  driver.write32(0x24, 0);
  driver.write32(0x20, 1);
  driver.writeStatus(0xb);
  t.is(driver.status, 3);
  t.is(transport.faults.of('features-refused'), 1);
  driver.write32(0x24, 1);
  driver.write32(0x20, 1);
  driver.writeStatus(0xb);
  t.is(driver.status, 0xb, 'the driver may try again');
});

test('M8: control accesses of another width, unaligned or unknown do nothing', (t) => {
  const { transport, driver } = setup();
  for (const size of [1, 2, 8]) {
    t.deepEqual(transport.read(0, size), new Uint8Array(size));
    transport.write(0x70, new Uint8Array(size).fill(1));
  }
  t.deepEqual(transport.read(2, 4), new Uint8Array(4));
  transport.write(0x72, new Uint8Array(4).fill(1));
  t.deepEqual(transport.read(0xc4, 4), new Uint8Array(4));
  driver.write32(0x00, 1);
  driver.write32(0xc0, 1);
  t.is(driver.status, 0);
  t.is(transport.faults.of('register-access'), 11);
});

test('M9: a refused activation sets NEEDS_RESET and raises a configuration interrupt', (t) => {
  const { transport, driver, boot, notes, interrupts, refuseNext } = setup();
  refuseNext();
  boot();
  t.is(driver.status, 0x4f);
  t.is(driver.read32(0x60), 2);
  t.is(interrupts(), 1);
  t.is(transport.faults.of('activation-refused'), 1);
  driver.kick(0);
  driver.writeStatus(0);
  t.is(driver.status, 0);
  t.deepEqual(notes, [], 'the device never ran: no kick, no reset');
});

test('NEEDS_RESET interrupts once, and a driver that writes it back harms nothing', (t) => {
  const { transport, driver, boot, interrupts } = setup();
  boot();
  transport.needsReset();
  transport.needsReset();
  t.is(interrupts(), 1);
  t.is(driver.status, 0x4f);
  driver.writeStatus(0xcf);
  t.is(driver.status, 0xcf);
});

test('M10, A10, R14: a kick before the activation is made good after it', (t) => {
  const { transport, driver, boot, notes } = setup();
  driver.kick(0);
  t.deepEqual(notes, []);
  boot();
  t.deepEqual(notes, ['notify 0', 'notify 1']);
  driver.kick(2);
  driver.kick(0xffffffff);
  t.is(transport.faults.of('bad-notify'), 2);
  driver.writeStatus(0);
  driver.kick(0);
  t.deepEqual(notes, ['notify 0', 'notify 1', 'reset']);
});

test('M11: QueueNotify works by exit', (t) => {
  const { driver, boot, notes } = setup();
  boot();
  notes.length = 0;
  driver.kick(1);
  t.deepEqual(notes, ['notify 1']);
});

test('M12: an ACK before DRIVER_OK is accepted', (t) => {
  const { transport, driver } = setup();
  transport.usedBuffer();
  driver.write32(0x64, 1);
  t.is(driver.read32(0x60), 0);
});

test('A4, B6, R13: the driver writes its own field, in its width, or nothing', (t) => {
  const { transport, driver, boot, notes } = setup();
  driver.write32(0x104, 1);
  t.is(driver.read32(0x104), 0x07060504, 'not before the driver is there');
  boot();
  notes.length = 0;
  driver.write32(0x104, 0xffffffff);
  t.is(driver.read32(0x104), 0xffffffff);
  t.deepEqual(notes, ['config 4 255,255,255,255']);
  const before = transport.config;
  const bad: [number, number][] = [
    [0, 4],
    [4, 1],
    [4, 2],
    [5, 4],
    [4, 8],
    [5, 12],
    [0x1000, 4],
    [Number.MAX_SAFE_INTEGER - 0x100, 4],
  ];
  for (const [offset, size] of bad) transport.write(0x100 + offset, new Uint8Array(size));
  t.deepEqual(transport.config, before);
  t.is(notes.length, 1);
  t.is(transport.faults.of('config-access'), bad.length + 1);
});

test('config space is read in any width, and is empty outside', (t) => {
  const { transport } = setup();
  t.deepEqual([...transport.read(0x101, 1)], [1]);
  t.deepEqual([...transport.read(0x102, 2)], [2, 3]);
  t.deepEqual([...transport.read(0x104, 8)], [4, 5, 6, 7, 8, 9, 10, 11]);
  t.deepEqual([...transport.read(0x10a, 4)], [0, 0, 0, 0]);
  t.is(transport.faults.of('config-access'), 1);
});

test('the driver’s fields are zero for the next driver, the host’s stay', (t) => {
  const { transport, driver, boot } = setup();
  boot();
  driver.write32(0x104, 77);
  transport.configChanged(0, new Uint8Array([50, 0, 0, 0]));
  driver.writeStatus(0);
  t.is(driver.read32(0x104), 0);
  t.is(driver.read32(0x100), 50);
});

test('a device that dies is replaced: it goes on after the last used element', (t) => {
  const { transport, backend, driver, boot, activations, notes } = setup();
  boot();
  transport.disconnect();
  driver.kick(0);
  driver.write32(0x104, 3);
  t.deepEqual(notes, ['notify 0', 'notify 1']);
  transport.connect(backend);
  t.is(activations.length, 2);
  t.is(activations[1]?.queues[0]?.nextAvail, undefined);
  t.is(activations[1]?.config[4], 3);
  t.deepEqual(notes.slice(2), ['notify 0', 'notify 1']);
});

test('a device that comes late finds new rings', (t) => {
  const { transport, backend, boot, activations } = setup();
  transport.disconnect();
  boot();
  transport.connect(backend);
  t.is(activations[0]?.queues[0]?.nextAvail, 0);
});

test('A18: a snapshot restores every register, before and after activation', (t) => {
  for (const isBooted of [false, true]) {
    const one = setup();
    one.driver.negotiate();
    if (isBooted) {
      one.driver.setUpQueue(0, LAYOUT);
      one.driver.writeStatus(0xf);
    }
    one.transport.configChanged(8, new Uint8Array([1]));
    const two = setup();
    two.transport.disconnect();
    two.transport.restore(one.transport.snapshot());
    t.deepEqual(two.transport.snapshot(), one.transport.snapshot());
    two.transport.connect(two.backend, isBooted ? 'active' : 'inactive');
    t.is(two.activations.length, 0, 'the device restores itself');
    two.driver.kick(0);
    t.deepEqual(two.notes, isBooted ? ['notify 0'] : []);
  }
});
