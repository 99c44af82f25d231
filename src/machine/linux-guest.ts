import type { RamPart } from '../devices/virtio/guest-memory.js';
import type { HalOf } from '../hal/contract/define.js';
import type { Bytes } from '../hal/contract/units.js';
import type { Mmap } from '../hal/mmap.js';

/** A Linux guest, whatever its architecture. */
export interface LinuxGuest {
  /** Names of the images, by which the native side finds them. */
  readonly kernel: string;
  readonly initrd: string | null;
  readonly commandLine: string;
  /** The slots of virtio-mmio devices: a guest looks for them where it is told. */
  readonly virtioSlots: readonly number[];
  /** Randomness for its first moments, from `Entropy`. Taken on arm64. */
  readonly rngSeed?: Uint8Array | undefined;
}

export type GuestImageErrorCode = 'BAD_KERNEL' | 'TRUNCATED_IMAGE' | 'TOO_LITTLE_MEMORY';

/** A kernel or initrd that cannot be booted on this machine. The message says what is wrong and what to do. */
export class GuestImageError extends Error {
  override readonly name = 'GuestImageError';

  constructor(
    readonly code: GuestImageErrorCode,
    message: string,
  ) {
    super(message);
  }
}

const PAGE_BYTES = 4096;

/** Rounds down to a page. */
export function pageFloor(value: number): number {
  return value - (value % PAGE_BYTES);
}

export interface LoadedInitrd {
  readonly address: number;
  readonly size: Bytes;
}

export interface InitrdBounds {
  readonly floor: number;
  readonly limit: number;
  /** What else needs memory behind it, for the message. */
  readonly behindBytes?: Bytes;
}

/**
 * Loads an initrd as high as it fits: it ends at `limit` at the latest, and does not begin before `floor`.
 *
 * @throws GuestImageError TOO_LITTLE_MEMORY, TRUNCATED_IMAGE (an empty file)
 */
export function loadInitrd(
  mmap: HalOf<typeof Mmap>,
  part: RamPart,
  path: string,
  bounds: InitrdBounds,
): LoadedInitrd {
  const { region } = part;
  const where = { region, path, fileOffset: 0 };
  const size = mmap.loadRange({ ...where, offset: part.offset, maxLength: 0 }).fileLength;
  if (size === 0) throw new GuestImageError('TRUNCATED_IMAGE', `the initrd ${path} is empty`);
  const limit = Math.min(bounds.limit, part.address + part.size);
  const address = pageFloor(limit - size);
  if (address < bounds.floor) {
    const { floor, behindBytes = 0 } = bounds;
    const needed = floor - part.address + size + behindBytes;
    throw tooLittleMemory(`the kernel and an initrd of ${mebi(size)}`, needed);
  }
  const offset = part.offset + (address - part.address);
  mmap.loadRange({ ...where, offset, maxLength: size });
  return { address, size };
}

/** A command line as a kernel reads it. @throws GuestImageError BAD_KERNEL if it is longer than the kernel takes. */
export function commandLineText(text: string, longestBytes: Bytes): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > longestBytes) {
    throw new GuestImageError(
      'BAD_KERNEL',
      `the command line has ${bytes.length} bytes, and this kernel takes ${longestBytes}; shorten it`,
    );
  }
  return Uint8Array.of(...bytes, 0);
}

export function tooLittleMemory(what: string, neededBytes: Bytes): GuestImageError {
  return new GuestImageError(
    'TOO_LITTLE_MEMORY',
    `${what} will not fit: there must be ${mebi(neededBytes)} of memory at least. Give the guest more (--memory)`,
  );
}

function mebi(size: Bytes): string {
  return `${Math.ceil(size / 2 ** 20)} MiB`;
}
