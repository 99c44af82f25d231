import type { HalOf } from '../hal/contract/define.js';
import type { Bytes, GuestAddress } from '../hal/contract/units.js';
import type { Mmap } from '../hal/mmap.js';
import { BOOT_PARAMS_ADDRESS, IMAGE_ADDRESS } from './x86-64-boot.js';

/** What the micro guest shall do (native/guest/guest_abi.h, struct guest_boot_params). */
export interface MicroGuestWork {
  /** How much memory it uses and then frees. */
  readonly touchBytes: Bytes;
  /** In pieces of this size, with a pause after each. */
  readonly touchChunkBytes: Bytes;
  readonly touchIntervalUs: number;
  readonly touchRounds: number;
  readonly roundPauseUs: number;
  /** Fresh pages in a shuffled order instead of ascending. */
  readonly shuffle: boolean;
  /** Uses pages again when the balloon gives them back, and checks that they read as zero. */
  readonly retouch: boolean;
  /** Breaks the rules of virtio on purpose: 0 not at all, 1 in every way it knows. */
  readonly hostileMode: number;
  /** Ends the guest when nothing happened for so long; 0 means never. */
  readonly idleExitUs: number;
}

const PARAMS_BYTES = 88;
const PARAMS_MAGIC = 0x4247_5948;
const PARAMS_VERSION = 1;
const FLAG_RETOUCH = 1;
const FLAG_SHUFFLE = 2;
const FLAG_STATISTICS = 4;
const FLAG_LINE_CONSOLE = 32;
const SHUFFLE_SEED = 20180724;
const WAIT_TIMEOUT_US = 5_000_000;

export interface MicroGuestBoot extends MicroGuestWork {
  readonly ramBytes: Bytes;
  readonly mmioAddress: GuestAddress;
  readonly gsi: number;
  readonly tscKhz: number;
}

export function bootParams(boot: MicroGuestBoot): Uint8Array {
  const bytes = new Uint8Array(PARAMS_BYTES);
  const view = new DataView(bytes.buffer);
  const u32 = (offset: number, value: number) => view.setUint32(offset, value, true);
  const u64 = (offset: number, value: number) => view.setBigUint64(offset, BigInt(value), true);
  u32(0, PARAMS_MAGIC);
  view.setUint16(4, PARAMS_VERSION, true);
  view.setUint16(6, PARAMS_BYTES, true);
  u64(8, boot.ramBytes);
  u64(16, boot.mmioAddress);
  u64(24, boot.touchBytes);
  u32(32, boot.touchChunkBytes);
  u32(36, boot.touchIntervalUs);
  u32(40, boot.gsi);
  u32(44, boot.tscKhz);
  const flags =
    FLAG_STATISTICS |
    FLAG_LINE_CONSOLE |
    (boot.retouch ? FLAG_RETOUCH : 0) |
    (boot.shuffle ? FLAG_SHUFFLE : 0);
  u32(48, flags);
  u32(52, boot.hostileMode);
  u32(56, SHUFFLE_SEED);
  u32(60, boot.touchRounds);
  u32(64, boot.roundPauseUs);
  // Hostile steps that a device may leave unanswered use the guest's own short limit.
  u32(68, boot.hostileMode === 0 ? WAIT_TIMEOUT_US : 0);
  u32(72, boot.idleExitUs);
  return bytes;
}

/** Loads the image natively and leaves the parameters where the guest looks for them. */
export function loadMicroGuest(
  mmap: HalOf<typeof Mmap>,
  region: number,
  imagePath: string,
  boot: MicroGuestBoot,
): void {
  mmap.load({ region, offset: IMAGE_ADDRESS, path: imagePath });
  mmap.write({ region, offset: BOOT_PARAMS_ADDRESS, data: bootParams(boot) });
}
