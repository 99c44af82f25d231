import { BalloonDevice } from '../devices/balloon/balloon-device.js';
import { CONFIG_ACTUAL, CONFIG_NUM_PAGES } from '../devices/balloon/constants.js';
import { BalloonControl, encodeTarget } from '../devices/balloon/control.js';
import { balloonTransport } from '../devices/balloon/transport.js';
import { InterruptLine } from '../devices/virtio/interrupt.js';
import type { MmioTransport } from '../devices/virtio/mmio-transport.js';
import { Channel } from '../hal/channel.js';
import type { Clock } from '../hal/clock.js';
import type { HalOf } from '../hal/contract/define.js';
import { BYTES_PER_MIB, type MiB } from '../hal/contract/units.js';
import { EventFd } from '../hal/event-fd.js';
import type { Mmap } from '../hal/mmap.js';
import type { Process } from '../hal/process.js';
import type { BusDevice } from '../machine/bus.js';
import type { Machine } from '../machine/machine.js';
import type { MmioWiring } from '../machine/mmio-slots.js';
import type { EventSource } from '../reactor/reactor.js';
import type { DevicePlacement } from './balloon-config.js';
import { BALLOON_FEATURES } from './balloon-device.js';
import { DeviceProcess } from './device-process.js';

/** What a guest answered, or why it did not. */
export type StatsOutcome = Readonly<Record<string, number | string>>;
type StatsReceiver = (outcome: StatsOutcome) => void;

export interface VmBalloonOptions {
  readonly hal: {
    readonly mmap: HalOf<typeof Mmap>;
    readonly eventFd: HalOf<typeof EventFd>;
    readonly channel: HalOf<typeof Channel>;
    readonly clock: HalOf<typeof Clock>;
    readonly process: HalOf<typeof Process>;
  };
  readonly events: EventSource;
  readonly machine: Machine;
  readonly slot: number;
  readonly placement: DevicePlacement;
  /** The driver says what its balloon holds. */
  readonly actualChanged: (pages: number) => void;
  /** The device was started again, and its control channel is another. */
  readonly controlChanged: (control: number) => void;
  readonly notice: (message: string) => void;
}

const QUEUES = [{ queue: 0 }, { queue: 1 }, { queue: 2 }];
const STATUS_PAGE_BYTES = 4096;
const DEVICE_CONFIG = { offset: CONFIG_NUM_PAGES, size: 4 };

/** A machine's balloon: registers in its slot, and behind them the device, here or in a process of its own. */
export class VmBalloon {
  readonly #options: VmBalloonOptions;
  readonly #closing: (() => void)[] = [];
  #control = 0;
  #process: DeviceProcess | undefined;
  #device: BalloonDevice | undefined;
  readonly #asked = new Map<number, StatsReceiver>();

  /** Inside a turn, before the machine runs. */
  constructor(options: VmBalloonOptions) {
    this.#options = options;
    options.machine.attachMmio({
      slot: options.slot,
      notify: QUEUES,
      device: (wiring) => this.#addDevice(wiring),
    });
  }

  /** This side's end of the control channel. */
  get control(): number {
    return this.#control;
  }

  /** Sends a target as the policy does. */
  setTarget(target: MiB): void {
    const data = encodeTarget(target * BYTES_PER_MIB);
    this.#options.hal.channel.send({ channel: this.#control, data, attach: [] });
  }

  /** Asks the guest for its statistics. */
  requestStats(answered: StatsReceiver): void {
    const request = this.#device?.requestStats(this.#options.events.nowNs) ?? 'not-ready';
    if (request === 'not-ready') answered({ failed: request });
    else this.#asked.set(request, answered);
  }

  /** Ends the device's process as a crash would. @throws TypeError if it has none. */
  kill(): void {
    if (this.#process === undefined) throw new TypeError('the device has no process of its own');
    this.#process.crash();
  }

  close(): void {
    for (const close of this.#closing) close();
  }

  #addDevice(wiring: MmioWiring): BusDevice {
    const { mmap, eventFd } = this.#options.hal;
    const region = mmap.createRegion({ name: 'balloon-status', size: STATUS_PAGE_BYTES });
    this.#closing.push(() => mmap.closeRegion({ region }));
    const interrupt = new InterruptLine(mmap, eventFd, { region, offset: 0, eventfd: wiring.call });
    const transport = balloonTransport({ interrupt });
    if (this.#options.placement === 'process') return this.#startProcess(wiring, transport, region);
    this.#addDeviceHere(wiring, transport);
    return transport;
  }

  #startProcess(wiring: MmioWiring, transport: MmioTransport, statusRegion: number): BusDevice {
    const { hal, events, machine, notice } = this.#options;
    const device = new DeviceProcess({
      hal,
      events,
      lane: 'device',
      transport,
      features: BALLOON_FEATURES,
      ram: machine.ram,
      statusPage: { region: statusRegion, size: STATUS_PAGE_BYTES },
      wiring,
      deviceConfig: DEVICE_CONFIG,
      configWritten: (offset, bytes) => this.#configWritten(offset, bytes),
      onControl: (control) => this.#useControl(control),
      onRestart: notice,
    });
    this.#process = device;
    this.#closing.push(() => device.end());
    device.start();
    return device.registers;
  }

  #configWritten(offset: number, bytes: Uint8Array): void {
    if (offset !== CONFIG_ACTUAL || bytes.length !== 4) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options.actualChanged(view.getUint32(0, true));
  }

  #useControl(control: number): void {
    const isFirst = this.#control === 0;
    this.#control = control;
    if (!isFirst) this.#options.controlChanged(control);
  }

  #addDeviceHere(wiring: MmioWiring, transport: MmioTransport): void {
    const { hal, events, machine, actualChanged } = this.#options;
    const { mmap, eventFd, channel } = hal;
    const control = channel.pair({ name: 'control' });
    this.#control = control.near;
    this.#closing.push(
      () => channel.close({ channel: control.near }),
      () => channel.close({ channel: control.far }),
    );
    const device = new BalloonDevice({
      mmap,
      ram: machine.ram,
      frontend: transport,
      listener: {
        actualChanged,
        statsAnswered: (request, stats) => this.#answer(request, { ...stats }),
        statsFailed: (request, reason) => this.#answer(request, { failed: reason }),
      },
    });
    this.#device = device;
    transport.connect(device);
    for (const { queue, eventfd } of wiring.kicks) {
      events.on(EventFd, 'signalled', eventfd, () => device.kick(queue));
      eventFd.watch({ eventfd, on: true });
    }
    const messages = new BalloonControl(device);
    events.on(Channel, 'message', control.far, ({ data }) => void messages.handle(data));
    channel.listen({ channel: control.far });
  }

  #answer(request: number, outcome: StatsOutcome): void {
    const answered = this.#asked.get(request);
    this.#asked.delete(request);
    answered?.(outcome);
  }
}
