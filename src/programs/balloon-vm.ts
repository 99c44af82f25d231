import { ContainerModule, inject, injectable, optional } from 'inversify';
import { BalloonDevice } from '../devices/balloon/balloon-device.js';
import { CONFIG_ACTUAL, CONFIG_NUM_PAGES } from '../devices/balloon/constants.js';
import { BalloonControl, encodeTarget } from '../devices/balloon/control.js';
import { balloonTransport } from '../devices/balloon/transport.js';
import { InterruptLine } from '../devices/virtio/interrupt.js';
import type { MmioTransport } from '../devices/virtio/mmio-transport.js';
import { Channel } from '../hal/channel.js';
import { Clock } from '../hal/clock.js';
import { Console } from '../hal/console.js';
import { BALLOON_PAGE_BYTES, BYTES_PER_MIB, NS_PER_S } from '../hal/contract/units.js';
import { Entropy } from '../hal/entropy.js';
import { EventFd } from '../hal/event-fd.js';
import { HostFiles } from '../hal/host-files.js';
import { Kvm } from '../hal/kvm.js';
import { MemPressure } from '../hal/mem-pressure.js';
import { Mmap } from '../hal/mmap.js';
import { Process } from '../hal/process.js';
import { Seccomp } from '../hal/seccomp.js';
import type { BusDevice } from '../machine/bus.js';
import type { GuestBoot } from '../machine/guest-boot.js';
import { virtioSlot } from '../machine/layout.js';
import { linuxBoot } from '../machine/linux-boot.js';
import { Machine } from '../machine/machine.js';
import { type MicroGuestFlag, microGuest } from '../machine/micro-guest.js';
import type { MmioWiring } from '../machine/mmio-slots.js';
import type { VmEnd } from '../machine/vm-end.js';
import { PolicyHost } from '../policy/policy-host.js';
import type { PolicyObserver } from '../policy/policy-observer.js';
import type { Program, ProgramRoot } from '../program.js';
import { Reactor } from '../reactor/reactor.js';
import { type BalloonVmConfig, parseBalloonConfig, ramBytes } from './balloon-config.js';
import { BALLOON_FEATURES, BalloonDeviceLane } from './balloon-device.js';
import { DeviceProcess } from './device-process.js';

/** The micro guest's image, by the name that the native side knows it by. */
export const MICRO_GUEST_IMAGE = 'halyard:micro-guest';
/** The images of a Linux guest, likewise. */
export const KERNEL_IMAGE = 'halyard:kernel';
export const INITRD_IMAGE = 'halyard:initrd';

/** Injection token of the configuration. */
export const BALLOON_VM_CONFIG = Symbol('BalloonVmConfig');
/** Injection token of whoever looks on. Not bound means nobody does. */
export const BALLOON_VM_OBSERVER = Symbol('BalloonVmObserver');

/** What a chart or a log wants to see. It influences nothing. */
export interface BalloonVmObserver extends PolicyObserver {
  guestLine?(line: string): void;
  /** The guest says that its balloon holds so many pages. */
  actualChanged?(pages: number): void;
  ended?(end: VmEnd): void;
}

const SAMPLE_NS = NS_PER_S / 2;
const BALLOON_SLOT = 0;
const QUEUES = [{ queue: 0 }, { queue: 1 }, { queue: 2 }];
const STATUS_PAGE_BYTES = 4096;
const DEVICE_CONFIG = { offset: CONFIG_NUM_PAGES, size: 4 };
/** The guest waits this long for its device; its hostile steps have a shorter limit of their own. */
const GUEST_WAIT_US = 5_000_000;
const SHUFFLE_SEED = 20180724;

function bootOf(config: BalloonVmConfig): GuestBoot {
  const { linux } = config;
  if (linux === null) return microGuestBoot(config);
  return linuxBoot(config.guestArchitecture, {
    kernel: KERNEL_IMAGE,
    initrd: linux.hasInitrd ? INITRD_IMAGE : null,
    commandLine: linux.commandLine,
    virtioSlots: [BALLOON_SLOT],
  });
}

function microGuestBoot({ work }: BalloonVmConfig): GuestBoot {
  const flags: MicroGuestFlag[] = ['statistics', 'lineConsole'];
  if (work.shuffle) flags.push('shuffle');
  if (work.retouch) flags.push('retouch');
  return microGuest(MICRO_GUEST_IMAGE, {
    device: virtioSlot(BALLOON_SLOT),
    flags,
    touchBytes: work.touchBytes,
    touchChunkBytes: work.touchChunkBytes,
    touchIntervalUs: work.touchIntervalUs,
    touchRounds: work.touchRounds,
    roundPauseUs: work.roundPauseUs,
    hostileMode: work.hostileMode,
    idleExitUs: work.idleExitUs,
    shuffleSeed: SHUFFLE_SEED,
    waitTimeoutUs: work.hostileMode === 0 ? GUEST_WAIT_US : 0,
  });
}

/** One VM, its balloon and the policy that steers it: the composition of crosvm's change 448516e3f9. */
@injectable()
export class BalloonVm implements ProgramRoot {
  #machine: Machine | undefined;
  /** This side's end of the channel to the device. */
  #control = 0;
  readonly #closing: (() => void)[] = [];

  constructor(
    @inject(BALLOON_VM_CONFIG) private readonly config: BalloonVmConfig,
    @inject(BALLOON_VM_OBSERVER) @optional() private readonly observer: BalloonVmObserver = {},
    @inject(Reactor) private readonly reactor: Reactor,
    @inject(PolicyHost) private readonly policy: PolicyHost,
    @inject(Kvm) private readonly kvm: Kvm,
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Channel) private readonly channel: Channel,
    @inject(Clock) private readonly clock: Clock,
    @inject(Console) private readonly console: Console,
    @inject(Process) private readonly process: Process,
  ) {}

  start(): void {
    const machine = this.#buildMachine();
    this.#machine = machine;
    machine.attachMmio({
      slot: BALLOON_SLOT,
      notify: QUEUES,
      device: (wiring) => this.#addDevice(machine, wiring),
    });
    machine.run();
    this.#startPolicy(this.#control);
    this.#planEnd();
  }

  #buildMachine(): Machine {
    const { config, kvm, mmap, eventFd, console, reactor } = this;
    return new Machine({
      hal: { kvm, mmap, eventFd, console },
      events: reactor,
      architecture: config.guestArchitecture,
      ramBytes: ramBytes(config),
      cpus: config.cpus,
      boot: bootOf(config),
      onLine: (line) => this.observer.guestLine?.(line),
      onEnd: (end) => this.#finish(end),
    });
  }

  /** The registers and, behind them, the device: here or in a process of its own. */
  #addDevice(machine: Machine, wiring: MmioWiring): BusDevice {
    const { mmap, eventFd } = this;
    const region = mmap.createRegion({ name: 'balloon-status', size: STATUS_PAGE_BYTES });
    this.#closing.push(() => mmap.closeRegion({ region }));
    const interrupt = new InterruptLine(mmap, eventFd, { region, offset: 0, eventfd: wiring.call });
    const transport = balloonTransport({ interrupt });
    if (this.config.device === 'process') {
      return this.#startProcess(machine, wiring, transport, region);
    }
    this.#addDeviceHere(machine, wiring, transport);
    return transport;
  }

  #startProcess(
    machine: Machine,
    wiring: MmioWiring,
    transport: MmioTransport,
    statusRegion: number,
  ): BusDevice {
    const { mmap, eventFd, channel, clock, process, reactor } = this;
    const device = new DeviceProcess({
      hal: { mmap, eventFd, channel, clock, process },
      events: reactor,
      lane: 'device',
      transport,
      features: BALLOON_FEATURES,
      ram: machine.ram,
      statusPage: { region: statusRegion, size: STATUS_PAGE_BYTES },
      wiring,
      deviceConfig: DEVICE_CONFIG,
      configWritten: (offset, bytes) => this.#configWritten(offset, bytes),
      onControl: (control) => this.#useControl(control),
      onRestart: (reason) => this.observer.notice?.(reason),
    });
    this.#closing.push(() => device.end());
    device.start();
    return device.registers;
  }

  #configWritten(offset: number, bytes: Uint8Array): void {
    if (offset !== CONFIG_ACTUAL || bytes.length !== 4) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tellActual(view.getUint32(0, true));
  }

  /** What a guest says of itself may be anything; it cannot hold more than it has. */
  #tellActual(pages: number): void {
    const ramPages = ramBytes(this.config) / BALLOON_PAGE_BYTES;
    this.observer.actualChanged?.(Math.min(pages, ramPages));
  }

  #useControl(control: number): void {
    const isFirst = this.#control === 0;
    this.#control = control;
    if (isFirst) return;
    if (!this.policy.hasSent) this.#sendBurst();
    this.policy.useControl(control);
  }

  /** The device in this process. */
  #addDeviceHere(machine: Machine, wiring: MmioWiring, transport: MmioTransport): void {
    const { mmap, eventFd, reactor, channel } = this;
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
        actualChanged: (pages) => this.#tellActual(pages),
        statsAnswered: () => {},
        statsFailed: () => {},
      },
    });
    transport.connect(device);
    for (const { queue, eventfd } of wiring.kicks) {
      reactor.on(EventFd, 'signalled', eventfd, () => device.kick(queue));
      eventFd.watch({ eventfd, on: true });
    }
    const messages = new BalloonControl(device);
    reactor.on(Channel, 'message', control.far, ({ data }) => void messages.handle(data));
    channel.listen({ channel: control.far });
  }

  #sendBurst(): void {
    const { burstMiB } = this.config;
    if (burstMiB === null) return;
    const data = encodeTarget(burstMiB * BYTES_PER_MIB);
    this.channel.send({ channel: this.#control, data, attach: [] });
  }

  #startPolicy(control: number): void {
    const { config } = this;
    const { timeScale, margin } = config;
    this.#sendBurst();
    if (config.policy === 'off') return;
    this.policy.start(
      this.reactor,
      {
        control,
        margin,
        timeScale,
        ramBytes: ramBytes(config),
        sampleIntervalNs: SAMPLE_NS,
      },
      this.observer,
    );
  }

  #planEnd(): void {
    const { clock, reactor, config } = this;
    reactor.on(Process, 'interrupted', undefined, () => this.#machine?.stop('interrupted'));
    if (config.seconds === 0) return;
    const timer = clock.createTimer({ name: 'run.end' });
    reactor.on(Clock, 'expired', timer, () => this.#machine?.stop('time is up'));
    clock.arm({ timer, first: Math.round(config.seconds * NS_PER_S), period: 0 });
  }

  #finish(end: VmEnd): void {
    this.policy.stop();
    this.#machine?.close();
    for (const close of this.#closing) close();
    this.observer.ended?.(end);
    this.reactor.stop();
  }
}

/** The balloon VM, as `halyard run` runs it. */
export const balloonVm: Program<BalloonVmConfig> = {
  package: 'halyard',
  export: 'balloonVm',
  version: 1,
  contracts: [
    Kvm,
    Mmap,
    EventFd,
    Seccomp,
    MemPressure,
    Clock,
    Entropy,
    Channel,
    HostFiles,
    Process,
    Console,
  ],
  lanes: {
    main: {
      root: BalloonVm,
      modules: (config) => [
        new ContainerModule(({ bind }) => {
          bind(BALLOON_VM_CONFIG).toConstantValue(config);
          bind(PolicyHost).toSelf();
          bind(BalloonVm).toSelf();
        }),
      ],
    },
    device: {
      root: BalloonDeviceLane,
      modules: () => [
        new ContainerModule(({ bind }) => {
          bind(BalloonDeviceLane).toSelf();
        }),
      ],
    },
  },
  parseConfig: parseBalloonConfig,
};
