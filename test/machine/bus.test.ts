import test from 'ava';
import { Bus, type BusDevice, PendingAnswer } from '../../src/machine/bus.js';

interface Access {
  readonly offset: number;
  readonly data: number[] | undefined;
}

function makeDevice() {
  const accesses: Access[] = [];
  const device: BusDevice = {
    read: (offset, size) => {
      accesses.push({ offset, data: undefined });
      return Uint8Array.from({ length: size }, (_, index) => offset + index);
    },
    write: (offset, data) => {
      accesses.push({ offset, data: [...data] });
    },
  };
  return { device, accesses };
}

test('an access goes to the device of its space, with the offset in its range', (t) => {
  const bus = new Bus();
  const low = makeDevice();
  const high = makeDevice();
  const port = makeDevice();
  bus.add({ space: 'mmio', address: 0x1000, size: 0x100, device: low.device });
  bus.add({ space: 'mmio', address: 0x1100, size: 0x100, device: high.device });
  bus.add({ space: 'pio', address: 0x1000, size: 8, device: port.device });
  t.deepEqual(bus.read('mmio', 0x10fe, 2), Uint8Array.of(0xfe, 0xff));
  bus.write('mmio', 0x1100, Uint8Array.of(1, 2, 3, 4));
  bus.write('pio', 0x1007, Uint8Array.of(9));
  t.deepEqual(low.accesses, [{ offset: 0xfe, data: undefined }]);
  t.deepEqual(high.accesses, [{ offset: 0, data: [1, 2, 3, 4] }]);
  t.deepEqual(port.accesses, [{ offset: 7, data: [9] }]);
  t.deepEqual(bus.unmapped, { reads: 0, writes: 0 });
});

test('what no device owns whole reads as ones, ignores writes, and is counted', (t) => {
  const bus = new Bus();
  const { device, accesses } = makeDevice();
  bus.add({ space: 'mmio', address: 0x1000, size: 0x100, device });
  t.deepEqual(bus.read('mmio', 0xffc, 4), Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  t.deepEqual(bus.read('mmio', 0x10fe, 4), Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  t.deepEqual(bus.read('pio', 0x1000, 1), Uint8Array.of(0xff));
  t.is(bus.write('mmio', 0x10fd, new Uint8Array(8)), undefined);
  t.deepEqual(bus.unmapped, { reads: 3, writes: 1 });
  t.deepEqual(accesses, []);
});

test('ranges that overlap are refused, in one space only', (t) => {
  const { device } = makeDevice();
  const bus = new Bus();
  bus.add({ space: 'mmio', address: 0x1000, size: 0x100, device });
  for (const [address, size] of [
    [0x1000, 0x100],
    [0xfff, 2],
    [0x10ff, 1],
    [0x800, 0x1000],
  ] as const) {
    const error = t.throws(() => bus.add({ space: 'mmio', address, size, device }), {
      instanceOf: RangeError,
    });
    t.regex(error.message, /overlaps the device at 0x1000 to 0x1100/);
  }
  bus.add({ space: 'mmio', address: 0xfff, size: 1, device });
  bus.add({ space: 'mmio', address: 0x1100, size: 1, device });
  bus.add({ space: 'pio', address: 0x1000, size: 0x100, device });
  t.pass();
});

test('ranges that are none are refused', (t) => {
  const { device } = makeDevice();
  const bus = new Bus();
  for (const [space, address, size] of [
    ['mmio', 0, 0],
    ['mmio', -1, 4],
    ['mmio', 0.5, 4],
    ['mmio', Number.MAX_SAFE_INTEGER, 4],
    ['pio', 0xffff, 2],
  ] as const) {
    t.throws(() => bus.add({ space, address, size, device }), { instanceOf: RangeError });
  }
  bus.add({ space: 'pio', address: 0xffff, size: 1, device });
  t.pass();
});

test('a pending answer reaches its receiver whichever comes first, and is given once', (t) => {
  const received: number[][] = [];
  const early = new PendingAnswer();
  early.answer(Uint8Array.of(1));
  early.receive((data) => received.push([...data]));
  const late = new PendingAnswer();
  late.receive((data) => received.push([...data]));
  t.is(received.length, 1);
  late.answer(Uint8Array.of(2));
  t.deepEqual(received, [[1], [2]]);
  t.throws(() => late.answer(), { message: /answered twice/ });
});
