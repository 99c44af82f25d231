import test from 'ava';
import fc from 'fast-check';
import { featureSet } from '../../../src/devices/virtio/features.js';
import { InterruptLine } from '../../../src/devices/virtio/interrupt.js';
import { MMIO } from '../../../src/devices/virtio/mmio-registers.js';
import { MmioTransport } from '../../../src/devices/virtio/mmio-transport.js';
import { REGISTER_PAGE_BYTES, RegisterPage } from '../../../src/devices/virtio/register-page.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';

const CONFIG_BYTES = 14;

/** A transport whose registers a guest reads from memory, and that memory. */
function setup() {
  const mmap = simulatedMemory().create({});
  const eventFd = simulatedEventFd().create({ signalled: () => {} });
  const region = mmap.createRegion({ name: 'registers', size: REGISTER_PAGE_BYTES });
  const eventfd = eventFd.create({ name: 'irq' });
  const offset = MMIO.interruptStatus;
  const page = new RegisterPage(mmap, region);
  const transport = new MmioTransport({
    deviceId: 5,
    features: featureSet([0, 5, 32]),
    queueSizes: [128, 64],
    config: Uint8Array.from({ length: CONFIG_BYTES }, (_, index) => index),
    driverFields: [{ offset: 4, size: 4 }],
    resetFields: [{ offset: 0, size: 4 }],
    interrupt: new InterruptLine(mmap, eventFd, { region, offset, eventfd }),
    page,
  });
  const backend = {
    activate: () => undefined,
    reset: () => {},
    queueNotify: () => {},
    configWritten: () => {},
  };
  transport.connect(backend);
  const inMemory = (at: number, size: number) => {
    const into = new Uint8Array(size);
    mmap.read({ region, offset: at, into });
    return into;
  };
  const closePage = () => mmap.closeRegion({ region });
  return { transport, backend, inMemory, closePage };
}

type Rig = ReturnType<typeof setup>;

const READABLE = [
  ...['magicValue', 'version', 'deviceId', 'vendorId', 'deviceFeatures', 'queueNumMax'],
  ...['queueReady', 'interruptStatus', 'status', 'shmLenLow', 'shmLenHigh', 'shmBaseLow'],
  ...['shmBaseHigh', 'configGeneration'],
].map((name) => MMIO[name as keyof typeof MMIO]);

/** The registers that in memory are not what an exit would answer, by their offsets. */
function differing({ transport, inMemory }: Rig): number[] {
  const config = Array.from({ length: CONFIG_BYTES }, (_, index) => 0x100 + index);
  const differs = (at: number, size: number) =>
    Buffer.compare(inMemory(at, size), transport.read(at, size)) !== 0;
  return [...READABLE.filter((at) => differs(at, 4)), ...config.filter((at) => differs(at, 1))];
}

const word = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

type Step = (rig: Rig) => void;

const value = fc.oneof(fc.constantFrom(0, 1, 3, 5, 0xb, 0xf, 0x80, 128), fc.nat(0xffffffff));
const registerWrite: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...Object.values(MMIO)), value)
  .map(
    ([offset, data]) =>
      ({ transport }) =>
        transport.write(offset, word(data)),
  );
const configWrite: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(0x100, 0x104, 0x108), value).map(
  ([offset, data]) =>
    ({ transport }) =>
      transport.write(offset, word(data)),
);
const configChange: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(0, 4, 10), value).map(
  ([offset, data]) =>
    ({ transport }) =>
      transport.configChanged(offset, word(data)),
);
/** A driver that comes up: random writes hardly ever do. */
const start: Step = ({ transport }) => {
  for (const status of [0, 1, 3]) transport.write(MMIO.status, word(status));
  transport.write(MMIO.driverFeaturesSel, word(1));
  transport.write(MMIO.driverFeatures, word(1));
  transport.write(MMIO.status, word(0xb));
  for (const [offset, data] of [
    [MMIO.queueSel, 0],
    [MMIO.queueNum, 64],
    [MMIO.queueReady, 1],
    [MMIO.status, 0xf],
  ] as const) {
    transport.write(offset, word(data));
  }
};
const others: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  start,
  ({ transport }) => transport.usedBuffer(),
  ({ transport }) => transport.needsReset(),
  ({ transport }) => transport.disconnect(),
  ({ transport, backend }) => transport.connect(backend),
  ({ transport }) => transport.restore(transport.snapshot()),
);

test('what a guest reads from memory is what an exit would have told it, after every step', (t) => {
  const steps = fc.array(fc.oneof(registerWrite, configWrite, configChange, others), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const rig = setup();
      if (differing(rig).length > 0) return false;
      return all.every((step) => {
        step(rig);
        return differing(rig).length === 0;
      });
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('a running driver is told of a change only when memory has it', (t) => {
  const rig = setup();
  start(rig);
  t.is(rig.inMemory(MMIO.status, 1)[0], 0xf);
  rig.transport.configChanged(0, word(0x01020304));
  t.deepEqual([...rig.inMemory(0x100, 4)], [4, 3, 2, 1]);
  t.is(rig.inMemory(MMIO.interruptStatus, 1)[0], 2);
  rig.transport.write(MMIO.interruptAck, word(2));
  t.is(rig.inMemory(MMIO.interruptStatus, 1)[0], 0);
});

test('who hears of a write may end the machine within it: the page was shown before', (t) => {
  for (const offset of [0x104, MMIO.status]) {
    const rig = setup();
    const { transport, backend, closePage } = rig;
    transport.connect({
      ...backend,
      configWritten: closePage,
      activate: () => {
        if (offset === MMIO.status) closePage();
        return undefined;
      },
    });
    t.notThrows(() => start(rig));
    if (offset !== MMIO.status) t.notThrows(() => transport.write(offset, word(7)));
    t.throws(() => rig.inMemory(0, 4), undefined, 'it was closed');
  }
});
