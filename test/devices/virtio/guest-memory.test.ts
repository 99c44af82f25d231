import test from 'ava';
import { GuestMemory } from '../../../src/devices/virtio/guest-memory.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { HIGH, LOW_END, MIB, makeRam, RAM_BYTES } from '../harness.js';

function setup() {
  const mmap = simulatedMemory().create({});
  const ram = makeRam(mmap);
  return { mmap, ram, memory: new GuestMemory(mmap, ram) };
}

test('R5: an access over two parts that touch is split, and reads back whole', (t) => {
  const { mmap, ram, memory } = setup();
  const data = Uint8Array.from({ length: 100 }, (_, index) => index + 1);
  t.is(memory.write(16 * MIB - 50, data), 'ok');
  const tail = new Uint8Array(50);
  mmap.read({ region: ram[1]?.region ?? 0, offset: 0, into: tail });
  t.deepEqual(tail, data.subarray(50));
  const back = new Uint8Array(100);
  t.is(memory.read(16 * MIB - 50, back), 'ok');
  t.deepEqual(back, data);
});

test('R5: words over two parts that touch are split, aligned or not', (t) => {
  const { memory } = setup();
  const words = Uint32Array.from({ length: 2000 }, (_, index) => 0x01020304 + index * 0x1000193);
  for (const shift of [0, 1, 2, 3]) {
    const address = 16 * MIB - 4000 + shift;
    const bytes = new Uint8Array(words.buffer);
    t.is(memory.write(address, bytes), 'ok');
    const back = new Uint32Array(2000);
    t.is(memory.readU32Array(address, back), 'ok');
    t.deepEqual(back, words);
  }
  t.is(memory.writeU32Array(16 * MIB - 4, words), 'ok');
  const halves = new Uint16Array(8);
  t.is(memory.readU16Array(16 * MIB - 8, halves), 'ok');
  t.is(halves[2], 0x0304);
  t.is(halves[3], 0x0102);
});

test('R5: overflow, holes and ends are refused as values, and nothing is written', (t) => {
  const { memory } = setup();
  const data = new Uint8Array(16).fill(1);
  t.is(memory.write(LOW_END, data), 'unmapped');
  t.is(memory.write(LOW_END - 8, data), 'gap');
  t.is(memory.write(HIGH - 8, data), 'unmapped');
  t.is(memory.write(HIGH + 8 * MIB - 8, data), 'gap');
  t.is(memory.write(2 ** 53 - 8, data), 'overflow');
  t.is(memory.write(2 ** 64, data), 'overflow');
  t.is(memory.check(0, 2 ** 32 - 1), 'gap');
  t.is(memory.writeU32Array(2, new Uint32Array(1)), 'misaligned');
  t.is(memory.readU16Array(1, new Uint16Array(1)), 'misaligned');
  const tail = new Uint8Array(8).fill(9);
  t.is(memory.read(LOW_END - 8, tail), 'ok');
  t.true(tail.every((byte) => byte === 0));
});

test('zero bytes may lie anywhere', (t) => {
  const { memory } = setup();
  t.is(memory.check(LOW_END, 0), 'ok');
  t.is(memory.read(LOW_END, new Uint8Array(0)), 'ok');
});

test('parts are sorted, neighbours of one region merged, and bad ones refused', (t) => {
  const { mmap, ram } = setup();
  const region = ram[0]?.region ?? 0;
  const memory = new GuestMemory(mmap, [
    { address: MIB, size: MIB, region, offset: MIB },
    { address: 0, size: MIB, region, offset: 0 },
  ]);
  t.deepEqual(memory.parts, [{ address: 0, size: 2 * MIB, region, offset: 0 }]);
  t.is(memory.size, 2 * MIB);
  t.is(new GuestMemory(mmap, ram).size, RAM_BYTES);
  const overlapping = { address: MIB - 4096, size: MIB, region, offset: 0 };
  t.throws(() => new GuestMemory(mmap, [...ram, overlapping]), { instanceOf: RangeError });
  const odd = { address: 100, size: MIB, region, offset: 0 };
  t.throws(() => new GuestMemory(mmap, [odd]), { instanceOf: RangeError });
});
