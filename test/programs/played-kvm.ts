import type { HalEvents, HalOf } from '../../src/hal/contract/define.js';
import type { Emitter } from '../../src/hal/contract/implementation.js';
import { Kvm } from '../../src/hal/kvm.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { FIRST_VCPU, RESET_REGISTERS, VM } from '../machine/harness.js';

type Exit = HalEvents<typeof Kvm>['exit'];
type Arguments<Call extends keyof HalOf<typeof Kvm>> = Parameters<HalOf<typeof Kvm>[Call]>[0];

const writeOf = (address: number, bytes: Uint8Array): string => `${address}: ${bytes}`;

/** KVM with one VM and one vCPU that runs no guest: its accesses are made by hand, and what they lead to is KVM's rule. */
export class PlayedKvm {
  /** The region of the first memory slot; 0 before there is one. */
  ramRegion = 0;
  /** Where the guest reads the first device's registers, if not by exits. */
  registers: number | undefined;
  /** The eventfd that interrupts the guest. */
  call = 0;
  /** What the last exit was answered with. */
  answer: Uint8Array | undefined;
  readonly #ring: (eventfd: number) => void;
  /** Eventfds that a write rings, by `writeOf` of it. */
  readonly #ioeventfds = new Map<string, number>();
  readonly #posted: Arguments<'post'>[] = [];
  #emit: Emitter<typeof Kvm> | undefined;

  /** @param ring signals an eventfd. */
  constructor(ring: (eventfd: number) => void) {
    this.#ring = ring;
  }

  /** The contract's implementation. */
  readonly create = (emit: Emitter<typeof Kvm>): HalOf<typeof Kvm> => {
    this.#emit = emit;
    const results: Record<string, (args: never) => unknown> = {
      checkExtension: () => 1,
      createVm: () => VM,
      createVcpu: () => FIRST_VCPU,
      tscKhz: () => 2_000_000,
      getSystemRegisters: () => RESET_REGISTERS,
      supportedCpuid: () => [],
      setMemory: ({ slot, region, address, readOnly }: Arguments<'setMemory'>) => {
        if (slot === 0) this.ramRegion = region;
        if (readOnly && address === virtioSlot(0).address) this.registers = region;
      },
      ioeventfd: ({ address, match, eventfd }: Arguments<'ioeventfd'>) => {
        this.#ioeventfds.set(writeOf(address, Uint8Array.of(match, 0, 0, 0)), eventfd);
      },
      post: (range: Arguments<'post'>) => void this.#posted.push(range),
      irqfd: ({ eventfd }: Arguments<'irqfd'>) => {
        this.call = eventfd;
      },
      complete: ({ data }: Arguments<'complete'>) => {
        this.answer = data.slice();
      },
    };
    const methods = Kvm.calls.map(({ name }) => [name, results[name] ?? (() => undefined)]);
    return Object.fromEntries(methods) as HalOf<typeof Kvm>;
  };

  get isWired(): boolean {
    return this.ramRegion !== 0 && this.#emit !== undefined;
  }

  /** A guest's write. @returns false if nobody waits for an answer: it rang an eventfd, or was posted. */
  write(address: number, data: Uint8Array): boolean {
    const eventfd = this.#ioeventfds.get(writeOf(address, data));
    if (eventfd !== undefined) {
      this.#ring(eventfd);
      return false;
    }
    const isPosted = this.#posted.some(
      (range) => address >= range.address && address + data.length <= range.address + range.size,
    );
    if (isPosted) this.#emit?.coalesced({ vm: VM, space: 'mmio', address, data: data.slice() });
    else this.exit({ reason: 'mmio', address, isWrite: true, data });
    return !isPosted;
  }

  /** The vCPU leaves its guest. */
  exit(exit: Pick<Exit, 'reason'> & Partial<Exit>): void {
    this.answer = undefined;
    const { data = new Uint8Array(0) } = exit;
    const defaults = { vcpu: FIRST_VCPU, address: 0, isWrite: false, detail: 0n };
    this.#emit?.exit({ ...defaults, ...exit, size: data.length, data: data.slice() });
  }
}
