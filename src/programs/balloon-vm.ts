import { ContainerModule, inject, injectable, optional } from 'inversify';
import { BalloonDevice } from '../devices/balloon/balloon-device.js';
import { BalloonControl, encodeTarget } from '../devices/balloon/control.js';
import { balloonTransport } from '../devices/balloon/transport.js';
import { InterruptLine } from '../devices/virtio/interrupt.js';
import { Channel } from '../hal/channel.js';
import { Clock } from '../hal/clock.js';
import { Console } from '../hal/console.js';
import { BYTES_PER_MIB, NS_PER_S } from '../hal/contract/units.js';
import { Entropy } from '../hal/entropy.js';
import { EventFd } from '../hal/event-fd.js';
import { HostFiles } from '../hal/host-files.js';
import { Kvm } from '../hal/kvm.js';
import { MemPressure } from '../hal/mem-pressure.js';
import { Mmap } from '../hal/mmap.js';
import { Process } from '../hal/process.js';
import { Seccomp } from '../hal/seccomp.js';
import { Machine, type MachineEnd, type MmioAttachment } from '../machine/machine.js';
import { PolicyHost } from '../policy/policy-host.js';
import type { PolicyObserver } from '../policy/policy-observer.js';
import type { Program, ProgramRoot } from '../program.js';
import { Reactor } from '../reactor/reactor.js';
import { type BalloonVmConfig, parseBalloonConfig, ramBytes } from './balloon-config.js';

/** The micro guest's image, by the name that the native side knows it by. */
export const MICRO_GUEST_IMAGE = 'halyard:micro-guest';

/** Injection token of the configuration. */
export const BALLOON_VM_CONFIG = Symbol('BalloonVmConfig');
/** Injection token of whoever looks on. Not bound means nobody does. */
export const BALLOON_VM_OBSERVER = Symbol('BalloonVmObserver');

/** What a chart or a log wants to see. It influences nothing. */
export interface BalloonVmObserver extends PolicyObserver {
  guestLine?(line: string): void;
  /** The guest says that its balloon holds so many pages. */
  actualChanged?(pages: number): void;
  ended?(end: MachineEnd): void;
}

const SAMPLE_NS = NS_PER_S / 2;
const QUEUES = 3;
const STATUS_WORD_BYTES = 4096;

/** One VM, its balloon and the policy that steers it: the composition of crosvm's change 448516e3f9. */
@injectable()
export class BalloonVm implements ProgramRoot {
  constructor(
    @inject(BALLOON_VM_CONFIG) private readonly config: BalloonVmConfig,
    @inject(BALLOON_VM_OBSERVER) @optional() private readonly observer: BalloonVmObserver = {},
    @inject(Reactor) private readonly reactor: Reactor,
    @inject(Machine) private readonly machine: Machine,
    @inject(PolicyHost) private readonly policy: PolicyHost,
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Channel) private readonly channel: Channel,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  start(): void {
    const { machine, config, channel } = this;
    machine.create(ramBytes(config));
    const attachment = machine.attach('balloon', QUEUES);
    const control = channel.pair({ name: 'control' });
    this.#addDevice(attachment, control.far);
    machine.onLine = (line) => this.observer.guestLine?.(line);
    machine.onEnd = (end) => this.#finish(end);
    machine.boot(
      { ramBytes: ramBytes(config), imagePath: MICRO_GUEST_IMAGE, work: config.work },
      attachment,
    );
    this.#startPolicy(control.near);
    this.#planEnd();
  }

  /** The device in this process. */
  #addDevice(attachment: MmioAttachment, control: number): void {
    const { mmap, eventFd, machine, reactor } = this;
    const region = mmap.createRegion({ name: 'balloon-status', size: STATUS_WORD_BYTES });
    const wiring = { region, offset: 0, eventfd: attachment.interrupt };
    const transport = balloonTransport({ interrupt: new InterruptLine(mmap, eventFd, wiring) });
    const device = new BalloonDevice({
      mmap,
      ram: machine.ram,
      frontend: transport,
      listener: {
        actualChanged: (pages) => this.observer.actualChanged?.(pages),
        statsAnswered: () => {},
        statsFailed: () => {},
      },
    });
    transport.connect(device);
    machine.addMmio(attachment, transport);
    attachment.kicks.forEach((kick, queue) => {
      reactor.on(EventFd, 'signalled', kick, () => device.kick(queue));
      eventFd.watch({ eventfd: kick, on: true });
    });
    const messages = new BalloonControl(device);
    reactor.on(Channel, 'message', control, ({ data }) => void messages.handle(data));
    this.channel.listen({ channel: control });
  }

  #startPolicy(control: number): void {
    const { config } = this;
    const { timeScale, margin, burstMiB } = config;
    if (burstMiB !== null) {
      const data = encodeTarget(burstMiB * BYTES_PER_MIB);
      this.channel.send({ channel: control, data, attach: [] });
    }
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
    reactor.on(Process, 'interrupted', undefined, () => this.machine.stop());
    if (config.seconds === 0) return;
    const timer = clock.createTimer({ name: 'run.end' });
    reactor.on(Clock, 'expired', timer, () => this.machine.stop());
    clock.arm({ timer, first: Math.round(config.seconds * NS_PER_S), period: 0 });
  }

  #finish(end: MachineEnd): void {
    this.policy.stop();
    this.machine.close();
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
          bind(Machine).toSelf();
          bind(PolicyHost).toSelf();
          bind(BalloonVm).toSelf();
        }),
      ],
    },
  },
  parseConfig: parseBalloonConfig,
};
