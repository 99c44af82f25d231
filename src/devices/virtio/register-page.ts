import type { HalOf } from '../../hal/contract/define.js';
import type { Mmap } from '../../hal/mmap.js';
import { MMIO, MMIO_CONFIG_OFFSET } from './mmio-registers.js';

export const REGISTER_PAGE_BYTES = 4096;

const WORD_BYTES = 4;

/** What a driver reads, but for InterruptStatus: that word is the interrupt line's own. */
const SHOWN: readonly number[] = [
  MMIO.magicValue,
  MMIO.version,
  MMIO.deviceId,
  MMIO.vendorId,
  MMIO.deviceFeatures,
  MMIO.queueNumMax,
  MMIO.queueReady,
  MMIO.status,
  MMIO.shmLenLow,
  MMIO.shmLenHigh,
  MMIO.shmBaseLow,
  MMIO.shmBaseHigh,
  MMIO.configGeneration,
];

/**
 * A device's registers as memory that its guest may only read (KVM_MEM_READONLY): what it reads costs no exit, what it
 * writes is an exit as before. What it finds is what an exit would have told it, as long as whoever serves the writes shows
 * each change here before it answers, and before it raises an interrupt. A field is a word at most, and changes at once.
 */
export class RegisterPage {
  readonly #mmap: HalOf<typeof Mmap>;
  readonly #region: number;
  /** What the page has. */
  readonly #words = new Uint32Array(REGISTER_PAGE_BYTES / WORD_BYTES);

  /** @param region a page of zeros; the guest's interrupt status is in it at `MMIO.interruptStatus`. */
  constructor(mmap: HalOf<typeof Mmap>, region: number) {
    this.#mmap = mmap;
    this.#region = region;
  }

  /** @param read a register's value, by its offset. */
  showRegisters(read: (offset: number) => number): void {
    for (const offset of SHOWN) this.#show(offset / WORD_BYTES, read(offset));
  }

  /** @param config all of it; what is missing of its last word is zero. */
  showConfig(config: Uint8Array): void {
    for (let at = 0; at < config.length; at += WORD_BYTES) {
      let value = 0;
      for (let byte = Math.min(at + WORD_BYTES, config.length) - 1; byte >= at; byte--) {
        value = ((value << 8) | (config[byte] as number)) >>> 0;
      }
      this.#show((MMIO_CONFIG_OFFSET + at) / WORD_BYTES, value);
    }
  }

  #show(index: number, value: number): void {
    if (this.#words[index] === value) return;
    this.#words[index] = value;
    const data = this.#words.subarray(index, index + 1);
    this.#mmap.writeU32Array({ region: this.#region, offset: index * WORD_BYTES, data });
  }
}
