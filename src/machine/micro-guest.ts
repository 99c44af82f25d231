import { BYTES_PER_MIB, type Bytes, type GuestAddress } from '../hal/contract/units.js';
import type { BusDevice } from './bus.js';
import { CONSOLE_BYTE_PORT, CONSOLE_LINE_PORT, ConsolePort } from './console-port.js';
import type { Board, BoardContext, BootContext, GuestBoot } from './guest-boot.js';
import type { EntryPoint } from './platform.js';
import { BOOT_PARAMETERS } from './x86-64-boot.js';

/** The interface of native/guest/guest_abi.h. */
export const MICRO_GUEST_IMAGE: GuestAddress = 0x100000;
const MICRO_GUEST_EXIT_PORT: GuestAddress = 0x501;
const LARGEST_IMAGE: Bytes = 64 * 1024;
const PARAMETERS_BYTES = 88;
const PARAMETERS_MAGIC = 0x42475948;
const PARAMETERS_VERSION = 1;

export const MICRO_GUEST_FLAGS = {
  /** Writes to deflated frames again; each must read as zero first. */
  retouch: 1,
  /** Hands fresh frames out in the order of a seeded generator. */
  shuffle: 2,
  /** Takes the statistics queue if it is offered. */
  statistics: 4,
  /** Checks the workload's pattern before its frames are freed. */
  verify: 8,
  /** Never frees the workload's frames. */
  keepWorkload: 16,
  /** One exit a line. */
  lineConsole: 32,
} as const;
export type MicroGuestFlag = keyof typeof MICRO_GUEST_FLAGS;

/** What the micro guest shall do. What is left out is 0: not done, or the guest's own default. */
export interface MicroGuestOptions {
  /** The balloon's registers and interrupt. */
  readonly device: { readonly address: GuestAddress; readonly gsi: number };
  readonly flags?: readonly MicroGuestFlag[];
  readonly touchBytes?: Bytes;
  readonly touchChunkBytes?: Bytes;
  /** Microseconds, as all times here. */
  readonly touchIntervalUs?: number;
  readonly touchRounds?: number;
  readonly roundPauseUs?: number;
  readonly waitTimeoutUs?: number;
  readonly idleExitUs?: number;
  /** 1: every hostile step; 0x100 + N: only those of case RN. */
  readonly hostileMode?: number;
  readonly shuffleSeed?: number;
  readonly queueSize?: number;
  /** Feature bits of the device that the driver shall not take. */
  readonly declineFeatures?: bigint;
}

/**
 * struct guest_boot_params, 88 bytes little-endian.
 *
 * @param machine the size of all RAM, and the frequency of the time stamp counter.
 * @throws RangeError if a value does not fit its field.
 */
export function microGuestParameters(
  options: MicroGuestOptions,
  machine: { readonly ramBytes: Bytes; readonly tscKhz: number },
): Uint8Array {
  const bytes = new Uint8Array(PARAMETERS_BYTES);
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, name: string, value = 0): void =>
    view.setUint16(offset, checked(name, value, 0xffff), true);
  const u32 = (offset: number, name: string, value = 0): void =>
    view.setUint32(offset, checked(name, value, 0xffffffff), true);
  const u64 = (offset: number, name: string, value = 0): void =>
    view.setBigUint64(offset, BigInt(checked(name, value, Number.MAX_SAFE_INTEGER)), true);
  u32(0, 'magic', PARAMETERS_MAGIC);
  u16(4, 'version', PARAMETERS_VERSION);
  u16(6, 'size', PARAMETERS_BYTES);
  u64(8, 'ramBytes', machine.ramBytes);
  u64(16, 'device.address', options.device.address);
  u64(24, 'touchBytes', options.touchBytes);
  u32(32, 'touchChunkBytes', options.touchChunkBytes);
  u32(36, 'touchIntervalUs', options.touchIntervalUs);
  u32(40, 'device.gsi', options.device.gsi);
  u32(44, 'tscKhz', machine.tscKhz);
  u32(48, 'flags', flagBits(options.flags ?? []));
  u32(52, 'hostileMode', options.hostileMode);
  u32(56, 'shuffleSeed', options.shuffleSeed);
  u32(60, 'touchRounds', options.touchRounds);
  u32(64, 'roundPauseUs', options.roundPauseUs);
  u32(68, 'waitTimeoutUs', options.waitTimeoutUs);
  u32(72, 'idleExitUs', options.idleExitUs);
  u16(76, 'queueSize', options.queueSize);
  view.setBigUint64(80, BigInt.asUintN(64, options.declineFeatures ?? 0n), true);
  return bytes;
}

/** Boots the micro guest from its flat image. The image never passes through here: it is loaded natively. */
export function microGuest(imagePath: string, options: MicroGuestOptions): GuestBoot {
  return {
    attach: attachPorts,
    load: (context) => loadMicroGuest(imagePath, options, context),
  };
}

/** Its console, and the port whose write ends it. */
function attachPorts(context: BoardContext): Board {
  const { hal, memory, events, onLine, bus, finish } = context;
  const console = new ConsolePort({ console: hal.console, memory, events, onLine });
  const exit: BusDevice = {
    read: (_offset, size) => new Uint8Array(size).fill(0xff),
    write: (_offset, data) => finish({ kind: 'guest-exit', code: data[0] ?? 0 }),
  };
  const { bytePort, linePort } = console;
  bus.add({ space: 'pio', address: CONSOLE_BYTE_PORT, size: 1, device: bytePort });
  bus.add({ space: 'pio', address: CONSOLE_LINE_PORT, size: 4, device: linePort });
  bus.add({ space: 'pio', address: MICRO_GUEST_EXIT_PORT, size: 1, device: exit });
  return { close: () => console.flush() };
}

function loadMicroGuest(
  path: string,
  options: MicroGuestOptions,
  { mmap, memory, tscKhz = 0 }: BootContext,
): EntryPoint {
  const low = memory.parts[0];
  if (low === undefined || low.address !== 0 || low.size < MICRO_GUEST_IMAGE + BYTES_PER_MIB) {
    throw new RangeError('the micro guest needs RAM from address 0 to 2 MiB at least');
  }
  const offset = low.offset + MICRO_GUEST_IMAGE;
  const { length } = mmap.load({ region: low.region, offset, path });
  if (length === 0 || length > LARGEST_IMAGE) {
    throw new RangeError(
      `${path} has ${length} bytes; a micro guest image has 1 to ${LARGEST_IMAGE}. Build it again`,
    );
  }
  const parameters = microGuestParameters(options, { ramBytes: memory.size, tscKhz });
  memory.write(BOOT_PARAMETERS, parameters);
  return { instruction: MICRO_GUEST_IMAGE, argument: BOOT_PARAMETERS };
}

function flagBits(flags: readonly MicroGuestFlag[]): number {
  return flags.reduce((bits, flag) => bits | MICRO_GUEST_FLAGS[flag], 0);
}

function checked(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`${name} of the micro guest is ${value}; it must be 0 to ${max}`);
}
