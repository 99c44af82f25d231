import { BalloonDevice } from '../devices/balloon/balloon-device.js';
import type { BalloonListener } from '../devices/balloon/balloon-options.js';
import { BalloonControl, encodeTarget } from '../devices/balloon/control.js';
import { ACTUAL_FIELD, deviceFields, offeredFeatures } from '../devices/balloon/features.js';
import { queueCount } from '../devices/balloon/queue-functions.js';
import { RemoteStats } from '../devices/balloon/remote-stats.js';
import { type StatsSource, StatsTimer } from '../devices/balloon/stats-timer.js';
import { balloonTransport } from '../devices/balloon/transport.js';
import type { FeatureSet } from '../devices/virtio/features.js';
import type { MmioTransport } from '../devices/virtio/mmio-transport.js';
import { Channel } from '../hal/channel.js';
import type { Clock } from '../hal/clock.js';
import type { HalOf } from '../hal/contract/define.js';
import { BYTES_PER_MIB, type MiB, type Nanoseconds, NS_PER_S } from '../hal/contract/units.js';
import { EventFd } from '../hal/event-fd.js';
import type { Mmap } from '../hal/mmap.js';
import type { Process } from '../hal/process.js';
import type { Seccomp } from '../hal/seccomp.js';
import type { BusDevice } from '../machine/bus.js';
import type { Machine } from '../machine/machine.js';
import type { DriverWrites, MmioWiring } from '../machine/mmio-slots.js';
import type { EventSource } from '../reactor/reactor.js';
import type { BalloonChoice, DevicePlacement } from './balloon-config.js';
import type { JailChoice, Refused } from './device-jail.js';
import { DevicePage, type RegisterReads } from './device-page.js';
import { type DeviceExitChoice, DeviceProcess } from './device-process.js';

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
    readonly seccomp: HalOf<typeof Seccomp>;
  };
  readonly events: EventSource;
  readonly machine: Machine;
  readonly slot: number;
  readonly registerReads: RegisterReads;
  readonly driverWrites: DriverWrites;
  readonly placement: DevicePlacement;
  readonly jail: JailChoice;
  readonly onDeviceExit: DeviceExitChoice;
  readonly choice: BalloonChoice;
  /** The driver says what its balloon holds. */
  readonly actualChanged: (pages: number) => void;
  /** The device was started again, and its control channel is another. */
  readonly controlChanged: (control: number) => void;
  readonly notice: (message: string) => void;
  /** The device's jail refused it something. */
  readonly refused: (refused: Refused) => void;
}

/** A machine's balloon: registers in its slot, and behind them the device, here or in a process of its own. */
export class VmBalloon {
  readonly #options: VmBalloonOptions;
  readonly #closing: (() => void)[] = [];
  #control = 0;
  #page: DevicePage | undefined;
  #process: DeviceProcess | undefined;
  #device: BalloonDevice | undefined;
  #stats: StatsTimer | undefined;
  #hinted: (() => void) | undefined;
  readonly #asked = new Map<number, StatsReceiver>();

  /** Inside a turn, before the machine runs. */
  constructor(options: VmBalloonOptions) {
    this.#options = options;
    options.machine.attachMmio({
      slot: options.slot,
      notify: Array.from({ length: queueCount(this.#features) }, (_, queue) => ({ queue })),
      driverWrites: options.driverWrites,
      reports: [ACTUAL_FIELD],
      device: (wiring) => this.#addDevice(wiring),
      page: () => this.#page?.forGuest,
    });
  }

  get #features(): FeatureSet {
    return offeredFeatures(this.#options.choice);
  }

  get #statsIntervalNs(): Nanoseconds {
    return Math.round(this.#options.choice.statsIntervalSeconds * NS_PER_S);
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
    const request = this.#stats?.request() ?? 'not-ready';
    if (request === 'not-ready') answered({ failed: request });
    else this.#asked.set(request, answered);
  }

  /**
   * Lets the guest hint at its free pages, which go back to the host.
   *
   * @throws TypeError if the device is in a process of its own, which cannot be asked for it.
   */
  hint(ended: () => void): void {
    if (this.#device === undefined) {
      throw new TypeError('hinting can be started only where the device is in this process');
    }
    this.#hinted = ended;
    this.#device.startHinting();
  }

  /** Ends the device's process as a crash would. @throws TypeError if it has none. */
  kill(): void {
    if (this.#process === undefined) throw new TypeError('the device has no process of its own');
    this.#process.crash();
  }

  close(): void {
    this.#stats?.close();
    for (const close of this.#closing) close();
  }

  #addDevice(wiring: MmioWiring): BusDevice {
    const { mmap, eventFd } = this.#options.hal;
    const page = new DevicePage(mmap, 'balloon-status', this.#options.registerReads);
    this.#page = page;
    this.#closing.push(() => page.close());
    const transport = balloonTransport({
      interrupt: page.interruptLine(eventFd, wiring.call),
      features: this.#options.choice,
      page: page.registers,
    });
    if (this.#options.placement === 'process') return this.#startProcess(wiring, transport, page);
    this.#addDeviceHere(wiring, transport);
    return transport;
  }

  #startProcess(wiring: MmioWiring, transport: MmioTransport, page: DevicePage): BusDevice {
    const { hal, events, machine, notice, jail, onDeviceExit, refused } = this.#options;
    const stats = new RemoteStats({
      channel: hal.channel,
      events,
      listener: this.#listener(),
      statsIntervalNs: this.#statsIntervalNs,
    });
    this.#startStats(stats);
    const device = new DeviceProcess({
      hal,
      events,
      lane: 'device',
      transport,
      features: this.#features,
      ram: machine.ram,
      statusPage: page,
      wiring,
      deviceConfig: deviceFields(this.#features),
      configWritten: (offset, bytes) => this.#configWritten(offset, bytes),
      onControl: (control) => {
        stats.useControl(control);
        this.#useControl(control);
      },
      onRestart: notice,
      jail,
      onRefused: refused,
      onExit: onDeviceExit,
    });
    this.#process = device;
    this.#closing.push(() => device.end());
    device.start();
    return device.registers;
  }

  #configWritten(offset: number, bytes: Uint8Array): void {
    if (offset !== ACTUAL_FIELD.offset || bytes.length !== ACTUAL_FIELD.size) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options.actualChanged(view.getUint32(0, true));
  }

  #useControl(control: number): void {
    const isFirst = this.#control === 0;
    this.#control = control;
    if (!isFirst) this.#options.controlChanged(control);
  }

  #addDeviceHere(wiring: MmioWiring, transport: MmioTransport): void {
    const { hal, events, machine } = this.#options;
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
      features: this.#options.choice,
      listener: this.#listener(),
      time: events,
      statsIntervalNs: this.#statsIntervalNs,
    });
    this.#device = device;
    this.#startStats(device);
    transport.connect(device);
    for (const { queue, eventfd } of wiring.kicks) {
      events.on(EventFd, 'signalled', eventfd, () => device.kick(queue));
      eventFd.watch({ eventfd, on: true });
    }
    const messages = new BalloonControl(device);
    events.on(Channel, 'message', control.far, ({ data }) => void messages.handle(data));
    channel.listen({ channel: control.far });
  }

  #startStats(source: StatsSource): void {
    const { hal, events } = this.#options;
    this.#stats = new StatsTimer(hal.clock, events, source);
    if (this.#statsIntervalNs > 0) this.#stats.poll();
  }

  #listener(): BalloonListener {
    return {
      actualChanged: this.#options.actualChanged,
      statsAnswered: (request, stats) => this.#answer(request, { ...stats }),
      statsFailed: (request, reason) => this.#answer(request, { failed: reason }),
      hintingEnded: () => {
        const hinted = this.#hinted;
        this.#hinted = undefined;
        hinted?.();
      },
    };
  }

  #answer(request: number, outcome: StatsOutcome): void {
    const answered = this.#asked.get(request);
    this.#asked.delete(request);
    answered?.(outcome);
  }
}
