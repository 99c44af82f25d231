import { InterruptLine } from '../devices/virtio/interrupt.js';
import { MMIO } from '../devices/virtio/mmio-registers.js';
import { REGISTER_PAGE_BYTES, RegisterPage } from '../devices/virtio/register-page.js';
import type { HalOf } from '../hal/contract/define.js';
import type { EventFd } from '../hal/event-fd.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';
import type { BalloonVmConfig } from './balloon-config.js';

/** How a guest reads its devices' registers: each time by an exit, or from memory that it may only read. */
export type RegisterReads = 'exit' | 'memory';
export const REGISTER_READS: readonly RegisterReads[] = ['exit', 'memory'];

/** KVM_CAP_READONLY_MEM. */
const READ_ONLY_MEMORY = 81;

/** What the configuration wants, where this KVM has it; what a guest finds is the same. */
export function registerReads(
  kvm: HalOf<typeof Kvm>,
  { registerReads: wanted }: Pick<BalloonVmConfig, 'registerReads'>,
): RegisterReads {
  if (wanted === 'exit') return 'exit';
  return kvm.checkExtension({ capability: READ_ONLY_MEMORY }) > 0 ? 'memory' : 'exit';
}

/** A page of a device's own: its interrupt status, alone or among the registers that its guest reads there. */
export class DevicePage {
  readonly region: number;
  readonly size = REGISTER_PAGE_BYTES;
  /** Undefined if reads are exits. */
  readonly registers: RegisterPage | undefined;
  readonly #mmap: HalOf<typeof Mmap>;

  /** @param name of the region. */
  constructor(mmap: HalOf<typeof Mmap>, name: string, reads: RegisterReads) {
    this.#mmap = mmap;
    this.region = mmap.createRegion({ name, size: REGISTER_PAGE_BYTES });
    this.registers = reads === 'memory' ? new RegisterPage(mmap, this.region) : undefined;
  }

  get hasRegisters(): boolean {
    return this.registers !== undefined;
  }

  /** The region, for the machine to put it where the guest reads. */
  get forGuest(): number | undefined {
    return this.hasRegisters ? this.region : undefined;
  }

  interruptLine(eventFd: HalOf<typeof EventFd>, eventfd: number): InterruptLine {
    const offset = this.hasRegisters ? MMIO.interruptStatus : 0;
    return new InterruptLine(this.#mmap, eventFd, { region: this.region, offset, eventfd });
  }

  close(): void {
    this.#mmap.closeRegion({ region: this.region });
  }
}
