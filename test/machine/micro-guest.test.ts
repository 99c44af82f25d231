import { readFileSync } from 'node:fs';
import test from 'ava';
import {
  MICRO_GUEST_FLAGS,
  type MicroGuestFlag,
  type MicroGuestOptions,
  microGuestParameters,
} from '../../src/machine/micro-guest.js';

/** What the C side says: the guest is compiled against it. */
const abi = readFileSync(new URL('../../../native/guest/guest_abi.h', import.meta.url), 'utf8');

const OPTIONS: MicroGuestOptions = {
  device: { address: 0xd0000000, gsi: 5 },
  flags: ['retouch', 'lineConsole'],
  touchBytes: 0x1_2345_6000,
  touchChunkBytes: 0x11223344,
  touchIntervalUs: 0x21223344,
  touchRounds: 0x31223344,
  roundPauseUs: 0x41223344,
  waitTimeoutUs: 0x51223344,
  idleExitUs: 0x61223344,
  hostileMode: 0x105,
  shuffleSeed: 0xfffffffe,
  queueSize: 128,
  declineFeatures: 0x8000_0000_0000_0004n,
};
const MACHINE = { ramBytes: 0x1_c000_0000, tscKhz: 2_399_999 };

/** Field of the C structure, and what must stand in it. */
const FIELDS: readonly [string, number, bigint][] = [
  ['ram_bytes', 8, 0x1_c000_0000n],
  ['virtio_mmio_base', 8, 0xd0000000n],
  ['touch_bytes', 8, 0x1_2345_6000n],
  ['touch_chunk_bytes', 4, 0x11223344n],
  ['touch_interval_us', 4, 0x21223344n],
  ['virtio_gsi', 4, 5n],
  ['tsc_khz', 4, 2_399_999n],
  ['flags', 4, 33n],
  ['hostile_mode', 4, 0x105n],
  ['shuffle_seed', 4, 0xfffffffen],
  ['touch_rounds', 4, 0x31223344n],
  ['round_pause_us', 4, 0x41223344n],
  ['wait_timeout_us', 4, 0x51223344n],
  ['idle_exit_us', 4, 0x61223344n],
  ['queue_size', 2, 128n],
  ['decline_features', 8, 0x8000_0000_0000_0004n],
];

function little(bytes: Uint8Array, offset: number, size: number): bigint {
  const digits = [...bytes.subarray(offset, offset + size)].reverse();
  return digits.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

test('parameters: each field is where the C structure has it', (t) => {
  const bytes = microGuestParameters(OPTIONS, MACHINE);
  t.is(bytes.length, Number(/sizeof\(struct guest_boot_params\) == (\d+)/.exec(abi)?.[1]));
  t.is(new TextDecoder().decode(bytes.subarray(0, 4)), 'HYGB');
  t.is(little(bytes, 4, 2), 1n);
  t.is(little(bytes, 6, 2), 88n);
  t.is(little(bytes, 78, 2), 0n);
  const asserted = [...abi.matchAll(/offsetof\(struct guest_boot_params, (\w+)\) == (\d+)/g)];
  const offsets = new Map(asserted.map(([, name, offset]) => [name, Number(offset)]));
  t.is(offsets.size, FIELDS.length);
  for (const [name, size, value] of FIELDS) {
    t.is(little(bytes, offsets.get(name) ?? Number.NaN, size), value, name);
  }
});

test('parameters: what is left out is zero', (t) => {
  const bytes = microGuestParameters({ device: OPTIONS.device }, MACHINE);
  t.true(bytes.subarray(24, 40).every((byte) => byte === 0));
  t.true(bytes.subarray(48).every((byte) => byte === 0));
});

test('parameters: flags have the values of the C side', (t) => {
  const names: Record<MicroGuestFlag, string> = {
    retouch: 'GUEST_RETOUCH',
    shuffle: 'GUEST_SHUFFLE',
    statistics: 'GUEST_STATISTICS',
    verify: 'GUEST_VERIFY',
    keepWorkload: 'GUEST_KEEP_WORKLOAD',
    lineConsole: 'GUEST_LINE_CONSOLE',
  };
  for (const [flag, name] of Object.entries(names)) {
    const shift = Number(new RegExp(`${name} = 1u << (\\d+)`).exec(abi)?.[1]);
    const value: number = MICRO_GUEST_FLAGS[flag as MicroGuestFlag];
    t.is(value, 2 ** shift, name);
  }
});

test('parameters: values that do not fit are refused by name', (t) => {
  const refused = (options: object, name: string): void => {
    const all = { device: OPTIONS.device, ...options };
    t.throws(() => microGuestParameters(all, MACHINE), {
      instanceOf: RangeError,
      message: new RegExp(`^${name} of the micro guest`),
    });
  };
  refused({ touchChunkBytes: 2 ** 32 }, 'touchChunkBytes');
  refused({ queueSize: 65536 }, 'queueSize');
  refused({ touchBytes: -1 }, 'touchBytes');
  refused({ idleExitUs: 0.5 }, 'idleExitUs');
});
