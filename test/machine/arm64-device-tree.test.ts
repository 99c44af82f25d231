import { readFileSync } from 'node:fs';
import test from 'ava';
import { type Arm64Hardware, arm64DeviceTree } from '../../src/machine/arm64-device-tree.js';
import { ARM64_LAYOUT } from '../../src/machine/arm64-layout.js';
import { dtc, dtcTest } from './dtc.js';
import { find, readDeviceTree } from './read-device-tree.js';

const HARDWARE: Arm64Hardware = {
  ram: [{ address: 0x80000000, size: 0x20000000 }],
  cpuIds: [0, 0x100],
  gicVersion: 3,
  virtio: [ARM64_LAYOUT.virtioSlot(0), ARM64_LAYOUT.virtioSlot(2)],
  commandLine: 'console=ttyS0 quiet',
  initrd: { address: 0x9fc00000, size: 0x1234 },
  rngSeed: Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1),
};

dtcTest(
  'dtc reads it without a warning, and it says what the source beside this test says',
  (t) => {
    const expected = dtc('dts', 'dtb', readFileSync('test/machine/arm64-device-tree.dts'));
    const text = (tree: Uint8Array) => new TextDecoder().decode(dtc('dtb', 'dts', tree));
    t.is(text(arm64DeviceTree(HARDWARE)), text(expected));
  },
);

test('a GICv2 has its distributor and CPU interface below the devices', (t) => {
  const root = readDeviceTree(arm64DeviceTree({ ...HARDWARE, gicVersion: 2 }));
  const gic = find(root, 'intc@3ffff000');
  t.is(Buffer.from(gic.properties['compatible'] ?? []).toString(), 'arm,gic-400\0');
  const reg = Buffer.from(gic.properties['reg'] ?? []);
  t.deepEqual(
    Array.from({ length: 4 }, (_, index) => Number(reg.readBigUInt64BE(index * 8))),
    [0x3ffff000, 0x1000, 0x3fffd000, 0x2000],
  );
});

test('without an initrd and a seed there is no word of them', (t) => {
  const tree = arm64DeviceTree({ ...HARDWARE, initrd: undefined, rngSeed: undefined });
  const { properties } = find(readDeviceTree(tree), 'chosen');
  t.deepEqual(Object.keys(properties), ['bootargs', 'stdout-path']);
});

test('memory above 4 GiB has both halves of its address and size', (t) => {
  const ram = [{ address: 0x80000000, size: 5 * 2 ** 32 + 0x1000 }];
  const root = readDeviceTree(arm64DeviceTree({ ...HARDWARE, ram }));
  const reg = Buffer.from(find(root, 'memory@80000000').properties['reg'] ?? []);
  t.is(Number(reg.readBigUInt64BE(8)), 5 * 2 ** 32 + 0x1000);
});
