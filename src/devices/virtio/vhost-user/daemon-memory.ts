import type { HalOf } from '../../../hal/contract/define.js';
import { HalError } from '../../../hal/contract/errors.js';
import { BALLOON_PAGE_BYTES, type GuestAddress } from '../../../hal/contract/units.js';
import type { Mmap } from '../../../hal/mmap.js';
import type { RamPart } from '../guest-memory.js';
import { MMIO } from '../mmio-registers.js';
import type { MemRegion } from './messages.js';
import { REGISTER_PAGE_ADDRESS, STATUS_PAGE_ADDRESS } from './protocol.js';

/** Entries that are no RAM, and where in them the word is. */
const STATUS_WORDS: ReadonlyMap<GuestAddress, number> = new Map([
  [STATUS_PAGE_ADDRESS, 0],
  [REGISTER_PAGE_ADDRESS, MMIO.interruptStatus],
]);

/** Where the shared InterruptStatus word is. */
export interface StatusWord {
  readonly region: number;
  readonly offset: number;
}

/** The guest's memory as a front-end described it, mapped. */
export class DaemonMemory {
  readonly ram: readonly RamPart[];
  /** Undefined if the front-end keeps its interrupt status to itself. */
  readonly statusWord: StatusWord | undefined;
  readonly #mmap: HalOf<typeof Mmap>;
  readonly #handles: readonly number[];
  readonly #table: readonly MemRegion[];

  private constructor(
    mmap: HalOf<typeof Mmap>,
    table: readonly MemRegion[],
    handles: readonly number[],
  ) {
    this.#mmap = mmap;
    this.#table = table;
    this.#handles = handles;
    const parts = table.map(({ guestAddress, size }, index) => {
      return { address: guestAddress, size, region: handles[index] ?? 0, offset: 0 };
    });
    this.ram = parts.filter(({ address }) => !STATUS_WORDS.has(address));
    const status = parts.find(({ address }) => STATUS_WORDS.has(address));
    const offset = status && STATUS_WORDS.get(status.address);
    this.statusWord =
      status && offset !== undefined ? { region: status.region, offset } : undefined;
  }

  /**
   * Maps the table; `attached[n]` is the memory of entry n.
   *
   * @returns undefined if the table makes no sense or cannot be mapped. Nothing stays mapped then.
   */
  static adopt(
    mmap: HalOf<typeof Mmap>,
    table: readonly MemRegion[],
    attached: readonly number[],
  ): DaemonMemory | undefined {
    if (attached.length !== table.length || !isSound(table)) return undefined;
    const handles: number[] = [];
    try {
      table.forEach(({ size, mmapOffset }, index) => {
        const attachment = attached[index] ?? 0;
        handles.push(mmap.adoptRegion({ attachment, size, offset: mmapOffset }));
      });
    } catch (error) {
      if (!HalError.is(error)) throw error;
      for (const region of handles) mmap.closeRegion({ region });
      return undefined;
    }
    return new DaemonMemory(mmap, table, handles);
  }

  /** Undefined if the address is in no entry of the table. */
  toGuest(userAddress: number): GuestAddress | undefined {
    const entry = this.#table.find(
      (region) =>
        userAddress >= region.userAddress && userAddress < region.userAddress + region.size,
    );
    return entry && entry.guestAddress + (userAddress - entry.userAddress);
  }

  close(): void {
    for (const region of this.#handles) this.#mmap.closeRegion({ region });
  }
}

/** Whole pages, not overlapping, and some RAM. */
function isSound(table: readonly MemRegion[]): boolean {
  const sorted = [...table].sort((a, b) => a.guestAddress - b.guestAddress);
  const whole = sorted.every(({ guestAddress, size, userAddress, mmapOffset }, index) => {
    const next = sorted[index + 1];
    const aligned = [guestAddress, size, mmapOffset].every((n) => n % BALLOON_PAGE_BYTES === 0);
    const ends = [guestAddress + size, userAddress + size, mmapOffset + size];
    const apart = next === undefined || guestAddress + size <= next.guestAddress;
    return size > 0 && aligned && apart && ends.every(Number.isSafeInteger);
  });
  return whole && sorted.some(({ guestAddress }) => !STATUS_WORDS.has(guestAddress));
}
