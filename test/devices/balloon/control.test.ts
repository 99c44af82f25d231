import test from 'ava';
import { BalloonControl, encodeTarget } from '../../../src/devices/balloon/control.js';
import { MIB, makeMachine, RAM_BYTES } from '../harness.js';

function setup() {
  const { device, driver } = makeMachine();
  return { device, driver, control: new BalloonControl(device) };
}

test('a message is the absolute number of bytes, little-endian', (t) => {
  const { control, driver } = setup();
  t.is(control.handle(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0)), 'applied');
  t.is(driver.read32(0x100), 4096);
  t.is(control.handle(encodeTarget(MIB + 4095)), 'applied');
  t.is(driver.read32(0x100), 256, 'a partial page is dropped');
  t.is(control.handle(encodeTarget(0)), 'applied');
  t.is(driver.read32(0x100), 0);
});

test('messages of any other length are ignored and counted', (t) => {
  const { control, device } = setup();
  device.setTargetBytes(MIB);
  for (const length of [0, 1, 4, 7, 9, 16]) {
    t.is(control.handle(new Uint8Array(length)), 'malformed');
  }
  t.is(device.targetPages, 256);
  t.deepEqual(control.counters, { applied: 0, malformed: 6, refused: 0 });
});

test('B7: what the guest does not have is refused and counted, up to the largest u64', (t) => {
  const { control, device } = setup();
  control.handle(encodeTarget(MIB));
  const tooMuch = [
    encodeTarget(RAM_BYTES + 1),
    encodeTarget(2 ** 52),
    Uint8Array.of(0, 0, 0, 0, 0, 0, 32, 0),
    new Uint8Array(8).fill(0xff),
  ];
  for (const message of tooMuch) t.is(control.handle(message), 'refused');
  t.is(device.targetPages, 256);
  t.deepEqual(control.counters, { applied: 1, malformed: 0, refused: 4 });
});

test('a message may be a view into a larger buffer', (t) => {
  const { control, device } = setup();
  const large = new Uint8Array(24).fill(0xff);
  large.set(encodeTarget(2 * MIB), 5);
  t.is(control.handle(large.subarray(5, 13)), 'applied');
  t.is(device.targetPages, 512);
});
