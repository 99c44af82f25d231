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

/**
 * Loads an initrd as high as it fits: it ends at `limit` at the latest, and does not begin before `floor`.
 *
 * @throws GuestImageError TOO_LITTLE_MEMORY, TRUNCATED_IMAGE (an empty file)
 */
export function loadInitrd(
  mmap: HalOf<typeof Mmap>,
  part: RamPart,
  path: string,
  bounds: { readonly floor: number; readonly limit: number },
): LoadedInitrd {
  const { region } = part;
  const where = { region, path, fileOffset: 0 };
  const size = mmap.loadRange({ ...where, offset: part.offset, maxLength: 0 }).fileLength;
  if (size === 0) throw new GuestImageError('TRUNCATED_IMAGE', `the initrd ${path} is empty`);
  const limit = Math.min(bounds.limit, part.address + part.size);
  const address = pageFloor(limit - size);
  if (address < bounds.floor) {
    throw tooLittleMemory(`the kernel and an initrd of ${mebi(size)}`, bounds.floor + size);
  }
  const offset = part.offset + (address - part.address);
  mmap.loadRange({ ...where, offset, maxLength: size });
  return { address, size };
}

export function tooLittleMemory(what: string, neededBytes: Bytes): GuestImageError {
  return new GuestImageError(
    'TOO_LITTLE_MEMORY',
    `${what} need ${mebi(neededBytes)} of memory at least; give the guest more (--memory)`,
  );
}

function mebi(size: Bytes): string {
  return `${Math.ceil(size / 2 ** 20)} MiB`;
}
