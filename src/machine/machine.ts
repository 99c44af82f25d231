import { GuestMemory, type RamPart } from '../devices/virtio/guest-memory.js';
import type { Console } from '../hal/console.js';
import type { Architecture, HalOf } from '../hal/contract/define.js';
import type { Bytes, GuestAddress } from '../hal/contract/units.js';
import type { EventFd } from '../hal/event-fd.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';
import type { EventSource } from '../reactor/reactor.js';
import { Bus, type BusDevice } from './bus.js';
import {
  CONSOLE_BYTE_PORT,
  CONSOLE_LINE_PORT,
  type ConsoleLimits,
  ConsolePort,
} from './console-port.js';
import { createRam, ramRanges } from './layout.js';
import { attachToSlot, type MmioAttachment, type MmioWiring } from './mmio-slots.js';
import { type GuestBoot, platformOf } from './platform.js';
import { Vcpus } from './vcpus.js';
import type { VmEnd } from './vm-end.js';

/** The hardware that a machine is made of. */
export interface MachineHal {
  readonly kvm: HalOf<typeof Kvm>;
  readonly mmap: HalOf<typeof Mmap>;
  readonly eventFd: HalOf<typeof EventFd>;
  readonly console: HalOf<typeof Console>;
}

export interface MachineOptions {
  readonly hal: MachineHal;
  readonly events: EventSource;
  /** Of the guest; never asked of the host. */
  readonly architecture: Architecture;
  /** A multiple of 4096, 2 MiB or more. */
  readonly ramBytes: Bytes;
  readonly boot: GuestBoot;
  /** Each line of the guest's console, without its newline. */
  readonly onLine?: (line: string) => void;
  readonly consoleLimits?: ConsoleLimits;
  /** Called once, when no vCPU runs any more. */
  readonly onEnd: (end: VmEnd) => void;
}

/**
 * A virtual machine with one vCPU: RAM, interrupt controllers, a console and the devices that are attached to it. It is
 * assembled in its constructor, inside a turn, and does nothing before `run`.
 */
export class Machine {
  readonly bus = new Bus();
  /** Where RAM is, for the guest and in its region. */
  readonly ram: readonly RamPart[];
  readonly memory: GuestMemory;
  readonly console: ConsolePort;
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
    const ranges = ramRanges(options.ramBytes);
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
      const vcpu = kvm.createVcpu({ vm, id: 0 });
      platform.prepareVcpu({ kvm, mmap, memory: this.memory, vcpu, boot: options.boot });
      this.console = new ConsolePort({
        console: hal.console,
        memory: this.memory,
        events,
        onLine: options.onLine,
        limits: options.consoleLimits,
      });
      this.#addPorts(options.boot.exitPort);
      const { bus } = this;
      this.#vcpus = new Vcpus({ kvm, events, bus, vm, vcpus: [vcpu], onEnd: options.onEnd });
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
    return attachToSlot({ kvm, eventFd, vm: this.#vm, bus: this.bus, own }, attachment);
  }

  /** @throws Error if it ran before: a machine runs once. */
  run(): void {
    this.#vcpus.run();
  }

  /** Ends the guest. `onEnd` follows, now or when the vCPU has left the guest. */
  stop(why: string): void {
    this.#vcpus.finish({ kind: 'stopped', why });
  }

  /**
   * Gives everything back. A guest that still runs is stopped without a call of `onEnd`; for an orderly end, `stop` it and
   * close in `onEnd`. May be called again.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.console.flush();
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

  #addPorts(exitPort: GuestAddress | undefined): void {
    const { bytePort, linePort } = this.console;
    this.bus.add({ space: 'pio', address: CONSOLE_BYTE_PORT, size: 1, device: bytePort });
    this.bus.add({ space: 'pio', address: CONSOLE_LINE_PORT, size: 4, device: linePort });
    if (exitPort === undefined) return;
    const device: BusDevice = {
      read: (_offset, size) => new Uint8Array(size).fill(0xff),
      write: (_offset, data) => this.#vcpus.finish({ kind: 'guest-exit', code: data[0] ?? 0 }),
    };
    this.bus.add({ space: 'pio', address: exitPort, size: 1, device });
  }
}
