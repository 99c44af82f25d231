import type { HalOf } from '../../hal/contract/define.js';
import type { Bytes } from '../../hal/contract/units.js';
import type { EventFd } from '../../hal/event-fd.js';
import type { Mmap } from '../../hal/mmap.js';

/** InterruptStatus bits (virtio 1.2, 4.2.2). */
export const INTERRUPT_USED_BUFFER = 1;
export const INTERRUPT_CONFIG_CHANGE = 2;

/** Where the shared InterruptStatus word is, and the eventfd whose signal raises the guest's interrupt. */
export interface InterruptWiring {
  readonly region: number;
  /** A multiple of 4. */
  readonly offset: Bytes;
  readonly eventfd: number;
}

/**
 * The interrupt of a virtio-mmio device: a status word in shared memory, so that a device in a process of its own raises
 * it without a message, and an irqfd. The bit is set first: the guest must find it when it looks.
 */
export class InterruptLine {
  readonly #mmap: HalOf<typeof Mmap>;
  readonly #eventFd: HalOf<typeof EventFd>;
  readonly #wiring: InterruptWiring;

  constructor(mmap: HalOf<typeof Mmap>, eventFd: HalOf<typeof EventFd>, wiring: InterruptWiring) {
    this.#mmap = mmap;
    this.#eventFd = eventFd;
    this.#wiring = wiring;
  }

  raise(bits: number): void {
    const { region, offset, eventfd } = this.#wiring;
    this.#mmap.orU32({ region, offset, mask: bits });
    this.#eventFd.signal({ eventfd });
  }

  read(): number {
    const { region, offset } = this.#wiring;
    return this.#mmap.loadAcquireU32({ region, offset });
  }

  clear(bits: number): void {
    const { region, offset } = this.#wiring;
    this.#mmap.andU32({ region, offset, mask: ~bits >>> 0 });
  }
}
