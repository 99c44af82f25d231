import { GuestMemory, type RamPart } from '../devices/virtio/guest-memory.js';
import type { Architecture } from '../hal/contract/footprint.js';
import type { Bytes } from '../hal/contract/units.js';
import type { EventSource } from '../reactor/reactor.js';
import { Bus } from './bus.js';
import type { Board, GuestBoot, MachineHal } from './guest-boot.js';
import { createRam } from './layout.js';
import { attachToSlot, type MmioAttachment, type MmioWiring } from './mmio-slots.js';
import { type Platform, platformOf } from './platform.js';
import { Vcpus } from './vcpus.js';
import type { VmEnd } from './vm-end.js';

export interface MachineOptions {
  readonly hal: MachineHal;
  readonly events: EventSource;
  /** Of the guest; never asked of the host. */
  readonly architecture: Architecture;
  /** A multiple of 4096, 2 MiB or more. */
  readonly ramBytes: Bytes;
  /** How many vCPUs. Default 1. */
  readonly cpus?: number;
  readonly boot: GuestBoot;
  /** Each line of the guest's console, without its newline. */
  readonly onLine?: (line: string) => void;
  /** Called once, when no vCPU runs any more. */
  readonly onEnd: (end: VmEnd) => void;
}

/**
 * A virtual machine: vCPUs, RAM, interrupt controllers, what its guest expects on the board, and the devices that are attached to it. It is
 * assembled in its constructor, inside a turn, and does nothing before `run`.
 */
export class Machine {
  readonly bus = new Bus();
  /** Where RAM is, for the guest and in its region. */
  readonly ram: readonly RamPart[];
  readonly memory: GuestMemory;
  readonly #platform: Platform;
  readonly #board: Board;
  readonly #hal: MachineHal;
  readonly #vm: number;
  readonly #vcpus: Vcpus;
  /** What to close, in the order it was opened: the VM first, so that the guest stops before it loses anything. */
  readonly #owned: (() => void)[] = [];
  #isClosed = false;

  /**
   * @throws UnsupportedError for an architecture that cannot be booted; HalError if the hardware refuses; RangeError if
   *   the size of RAM or the guest's image cannot be. What was opened until then is closed again.
   */
  constructor(options: MachineOptions) {
    const { hal, events } = options;
    const { kvm, mmap } = hal;
    const platform = platformOf(options.architecture);
    this.#platform = platform;
    const ranges = platform.layout.ramRanges(options.ramBytes);
    const cpus = checkedCpus(options.cpus ?? 1);
    this.#hal = hal;
    try {
      const vm = kvm.createVm();
      this.#vm = vm;
      this.#own(() => kvm.closeVm({ vm }));
      platform.prepareVm(kvm, vm);
      this.ram = createRam(mmap, ranges);
      for (const region of new Set(this.ram.map((part) => part.region))) {
        this.#own(() => mmap.closeRegion({ region }));
      }
      this.memory = new GuestMemory(mmap, this.ram);
      this.#setMemory();
      const vcpus = createVcpus(kvm, vm, cpus);
      const { boot, onLine, onEnd } = options;
      const { memory, bus } = this;
      platform.prepareVcpus({ kvm, mmap, memory, vm, vcpus, boot });
      const own = (close: () => void): void => this.#own(close);
      const finish = (end: VmEnd): void => this.#vcpus.finish(end);
      this.#board = boot.attach({ hal, events, vm, bus, memory, onLine, own, finish });
      const { reasonOf } = this.#board;
      this.#vcpus = new Vcpus({ kvm, events, bus, vm, vcpus, reasonOf, onEnd });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Why the machine ended, or undefined while it did not. */
  get end(): VmEnd | undefined {
    return this.#vcpus.end;
  }

  /**
   * Puts a device into a virtio-mmio slot. Whoever serves its queues watches the kick eventfds.
   *
   * @throws RangeError if the slot does not exist or is taken.
   */
  attachMmio(attachment: MmioAttachment): MmioWiring {
    const { kvm, eventFd } = this.#hal;
    const own = (close: () => void): void => this.#own(close);
    const { virtioSlot } = this.#platform.layout;
    return attachToSlot({ virtioSlot, kvm, eventFd, vm: this.#vm, bus: this.bus, own }, attachment);
  }

  /** Types on the guest's console. @throws TypeError if this guest reads none. */
  type(data: Uint8Array): void {
    const board = this.#board;
    if (board.type === undefined) throw new TypeError('this guest reads nothing from its console');
    board.type(data);
  }

  /** @throws Error if it ran before: a machine runs once. */
  run(): void {
    this.#vcpus.run();
  }

  /** Ends the guest. `onEnd` follows, now or when the vCPUs have left the guest. */
  stop(why: string): void {
    this.finish({ kind: 'stopped', why });
  }

  /** Ends the guest for any reason; the first one counts. */
  finish(end: VmEnd): void {
    this.#vcpus.finish(end);
  }

  /**
   * Gives everything back. A guest that still runs is stopped without a call of `onEnd`; for an orderly end, `stop` it and
   * close in `onEnd`. May be called again.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#board.close();
    this.#vcpus.dispose();
    this.#release();
  }

  #release(): void {
    for (const close of this.#owned.splice(0)) close();
  }

  #own(close: () => void): void {
    this.#owned.push(close);
  }

  #setMemory(): void {
    this.ram.forEach(({ address, size, region, offset }, slot) => {
      this.#hal.kvm.setMemory({
        vm: this.#vm,
        slot,
        address,
        size,
        region,
        offset,
        readOnly: false,
      });
    });
  }
}

/** Linux guests are tested with up to 4; 64 is where one APIC id and one bit of a mask still do for each. */
const MAX_CPUS = 64;

function checkedCpus(cpus: number): number {
  if (Number.isInteger(cpus) && cpus >= 1 && cpus <= MAX_CPUS) return cpus;
  throw new RangeError(`a machine has 1 to ${MAX_CPUS} vCPUs, not ${cpus}`);
}

function createVcpus(kvm: MachineHal['kvm'], vm: number, cpus: number): [number, ...number[]] {
  const first = kvm.createVcpu({ vm, id: 0 });
  const others = Array.from({ length: cpus - 1 }, (_, index) =>
    kvm.createVcpu({ vm, id: index + 1 }),
  );
  return [first, ...others];
}
