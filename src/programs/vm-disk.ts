import { BlockDevice } from '../devices/block/block-device.js';
import { blockTransport } from '../devices/block/transport.js';
import type { HalOf } from '../hal/contract/define.js';
import { BYTES_PER_MIB, type Bytes } from '../hal/contract/units.js';
import type { Disk } from '../hal/disk.js';
import { EventFd } from '../hal/event-fd.js';
import type { Mmap } from '../hal/mmap.js';
import type { BusDevice } from '../machine/bus.js';
import type { Machine } from '../machine/machine.js';
import type { DriverWrites, MmioWiring } from '../machine/mmio-slots.js';
import type { EventSource } from '../reactor/reactor.js';
import type { DiskChoice } from './balloon-config.js';
import { DevicePage, type RegisterReads } from './device-page.js';

export interface VmDiskOptions {
  readonly hal: {
    readonly mmap: HalOf<typeof Mmap>;
    readonly eventFd: HalOf<typeof EventFd>;
    readonly disk: HalOf<typeof Disk>;
  };
  readonly events: EventSource;
  readonly machine: Machine;
  readonly slot: number;
  readonly registerReads: RegisterReads;
  readonly driverWrites: DriverWrites;
  /** By which the native side knows its file. */
  readonly name: string;
  readonly choice: DiskChoice;
}

const REQUESTS = 0;

/** A machine's disk: opened, in its slot, served in this process. */
export class VmDisk {
  readonly #options: VmDiskOptions;
  readonly #closing: (() => void)[] = [];
  #page: DevicePage | undefined;

  /** Inside a turn, before the machine runs. @throws HalError if its file cannot be opened. */
  constructor(options: VmDiskOptions) {
    this.#options = options;
    const { machine, slot, driverWrites } = options;
    const { disk, size } = this.#open();
    this.#closing.push(() => options.hal.disk.close({ disk }));
    machine.attachMmio({
      slot,
      notify: [{ queue: REQUESTS }],
      driverWrites,
      device: (wiring) => this.#addDevice(wiring, disk, size),
      page: () => this.#page?.forGuest,
    });
  }

  close(): void {
    for (const close of this.#closing) close();
  }

  #open(): { disk: number; size: Bytes } {
    const { hal, choice, name } = this.#options;
    if (choice.kind === 'file') return hal.disk.open({ name, readOnly: choice.readOnly });
    const size = choice.sizeMiB * BYTES_PER_MIB;
    return { disk: hal.disk.openNull({ size }), size };
  }

  #addDevice(wiring: MmioWiring, disk: number, sizeBytes: Bytes): BusDevice {
    const { hal, events, machine, name, choice } = this.#options;
    const { mmap, eventFd } = hal;
    const page = new DevicePage(mmap, `${name}-status`, this.#options.registerReads);
    this.#page = page;
    this.#closing.push(() => page.close());
    const interrupt = page.interruptLine(eventFd, wiring.call);
    const shape = { sizeBytes, readOnly: choice.kind === 'file' && choice.readOnly };
    const transport = blockTransport({ interrupt, shape, page: page.registers });
    const device = new BlockDevice({
      mmap,
      disks: hal.disk,
      disk,
      shape,
      ram: machine.ram,
      frontend: transport,
      id: name,
    });
    transport.connect(device);
    for (const { queue, eventfd } of wiring.kicks) {
      events.on(EventFd, 'signalled', eventfd, () => device.queueNotify(queue));
      eventFd.watch({ eventfd, on: true });
    }
    return transport;
  }
}
