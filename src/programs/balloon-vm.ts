import { ContainerModule, inject, injectable, optional } from 'inversify';
import { Channel } from '../hal/channel.js';
import { Clock } from '../hal/clock.js';
import { Console } from '../hal/console.js';
import { BALLOON_PAGE_BYTES, NS_PER_S } from '../hal/contract/units.js';
import { Disk } from '../hal/disk.js';
import { Entropy } from '../hal/entropy.js';
import { EventFd } from '../hal/event-fd.js';
import { HostFiles } from '../hal/host-files.js';
import { Kvm } from '../hal/kvm.js';
import { MemPressure } from '../hal/mem-pressure.js';
import { Mmap } from '../hal/mmap.js';
import { Process } from '../hal/process.js';
import { Seccomp } from '../hal/seccomp.js';
import type { GuestBoot } from '../machine/guest-boot.js';
import { virtioSlot } from '../machine/layout.js';
import { linuxBoot } from '../machine/linux-boot.js';
import { Machine } from '../machine/machine.js';
import { type MicroGuestFlag, microGuest } from '../machine/micro-guest.js';
import type { VmEnd } from '../machine/vm-end.js';
import { PolicyHost } from '../policy/policy-host.js';
import type { PolicyObserver } from '../policy/policy-observer.js';
import type { Program, ProgramRoot } from '../program.js';
import { Reactor } from '../reactor/reactor.js';
import {
  BALLOON_VM_CONFIG,
  type BalloonVmConfig,
  parseBalloonConfig,
  ramBytes,
} from './balloon-config.js';
import { BalloonDeviceLane } from './balloon-device.js';
import { DEVICE_ENTRIES, type Refused } from './device-jail.js';
import { type RegisterReads, registerReads } from './device-page.js';
import { RecoveryCheck } from './recovery-check.js';
import { type ScenarioNote, ScenarioRun } from './scenario-run.js';
import { VmBalloon } from './vm-balloon.js';
import { VmDisk } from './vm-disk.js';

/** The micro guest's image, by the name that the native side knows it by. */
export const MICRO_GUEST_IMAGE = 'halyard:micro-guest';
/** The images of a Linux guest, likewise. */
export const KERNEL_IMAGE = 'halyard:kernel';
export const INITRD_IMAGE = 'halyard:initrd';
/** The name of the n-th disk, from 0. */
export const diskName = (index: number): string => `disk${index}`;

/** Injection token of whoever looks on. Not bound means nobody does. */
export const BALLOON_VM_OBSERVER = Symbol('BalloonVmObserver');

/** What a chart or a log wants to see. It influences nothing. */
export interface BalloonVmObserver extends PolicyObserver {
  guestLine?(line: string): void;
  /** The guest says that its balloon holds so many pages. */
  actualChanged?(pages: number): void;
  ended?(end: VmEnd): void;
  /** The device's jail refused it a system call. */
  refused?(refused: Refused): void;
  /** A step of the scenario found something out. */
  noted?(note: ScenarioNote): void;
}

const SAMPLE_NS = NS_PER_S / 2;
const BALLOON_SLOT = 0;
const FIRST_DISK_SLOT = 1;
/** The guest waits this long for its device; its hostile steps have a shorter limit of their own. */
const GUEST_WAIT_US = 5_000_000;
const RNG_SEED_BYTES = 64;
const SHUFFLE_SEED = 20180724;

function bootOf(config: BalloonVmConfig, entropy: Entropy): GuestBoot {
  const { linux } = config;
  if (linux === null) return microGuestBoot(config);
  return linuxBoot(config.guestArchitecture, {
    kernel: KERNEL_IMAGE,
    initrd: linux.hasInitrd ? INITRD_IMAGE : null,
    commandLine: linux.commandLine,
    virtioSlots: [BALLOON_SLOT, ...config.disks.map((_, index) => FIRST_DISK_SLOT + index)],
    // A PC's kernel has the time stamp counter and RDRAND; an arm64 one may have nothing.
    rngSeed: config.guestArchitecture === 'aarch64' ? rngSeed(entropy) : undefined,
  });
}

function rngSeed(entropy: Entropy): Uint8Array {
  const into = new Uint8Array(RNG_SEED_BYTES);
  entropy.fill({ into });
  return into;
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
  #balloon: VmBalloon | undefined;
  readonly #disks: VmDisk[] = [];
  #scenario: ScenarioRun | undefined;

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
    @inject(Entropy) private readonly entropy: Entropy,
    @inject(Process) private readonly process: Process,
    @inject(Disk) private readonly disk: Disk,
    @inject(Seccomp) private readonly seccomp: Seccomp,
  ) {}

  start(): void {
    const machine = this.#buildMachine();
    this.#machine = machine;
    const { mmap, eventFd, channel, clock, process, seccomp, reactor, config } = this;
    const reads = registerReads(this.kvm, config);
    const balloon = new VmBalloon({
      hal: { mmap, eventFd, channel, clock, process, seccomp },
      events: reactor,
      machine,
      slot: BALLOON_SLOT,
      registerReads: reads,
      driverWrites: config.driverWrites,
      placement: config.device,
      jail: config.jail,
      onDeviceExit: config.onDeviceExit,
      choice: config.balloon,
      actualChanged: (pages) => this.#tellActual(pages),
      controlChanged: (control) => this.#controlChanged(control),
      notice: (message) => this.observer.notice?.(message),
      refused: (refused) => this.observer.refused?.(refused),
    });
    this.#balloon = balloon;
    this.#addDisks(machine, reads);
    machine.run();
    this.#startPolicy(balloon.control);
    this.#planEnd();
    this.#startScenario(machine, balloon);
  }

  #buildMachine(): Machine {
    const { config, kvm, mmap, eventFd, console, reactor } = this;
    return new Machine({
      hal: { kvm, mmap, eventFd, console },
      events: reactor,
      architecture: config.guestArchitecture,
      ramBytes: ramBytes(config),
      cpus: config.cpus,
      boot: bootOf(config, this.entropy),
      onLine: (line) => {
        this.observer.guestLine?.(line);
        this.#scenario?.line(line);
      },
      onEnd: (end) => this.#finish(end),
    });
  }

  #addDisks(machine: Machine, reads: RegisterReads): void {
    const { mmap, eventFd, disk, reactor, config } = this;
    config.disks.forEach((choice, index) => {
      this.#disks.push(
        new VmDisk({
          hal: { mmap, eventFd, disk },
          events: reactor,
          machine,
          slot: FIRST_DISK_SLOT + index,
          registerReads: reads,
          driverWrites: config.driverWrites,
          name: diskName(index),
          choice,
        }),
      );
    });
  }

  #tellActual(pages: number): void {
    this.#scenario?.actual(pages);
    // What a guest says of itself may be anything; it cannot hold more than it has.
    const ramPages = ramBytes(this.config) / BALLOON_PAGE_BYTES;
    this.observer.actualChanged?.(Math.min(pages, ramPages));
  }

  /** The device was started again. */
  #controlChanged(control: number): void {
    if (!this.policy.hasSent) this.#sendBurst();
    this.policy.useControl(control);
  }

  #sendBurst(): void {
    const { burstMiB } = this.config;
    if (burstMiB !== null) this.#balloon?.setTarget(burstMiB);
  }

  #startPolicy(control: number): void {
    const { config } = this;
    const { timeScale, margin } = config;
    this.#sendBurst();
    this.policy.start(
      this.reactor,
      {
        control,
        margin,
        timeScale,
        ramBytes: ramBytes(config),
        sampleIntervalNs: SAMPLE_NS,
        acts: config.policy === 'step',
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

  #startScenario(machine: Machine, balloon: VmBalloon): void {
    const { scenario } = this.config;
    if (scenario.steps.length === 0) return;
    const region = machine.ram[0]?.region ?? 0;
    this.#scenario = new ScenarioRun(scenario, this.clock, this.reactor, {
      type: (data) => machine.type(data),
      setBalloon: (target) => balloon.setTarget(target),
      residentBytes: () => this.mmap.residency({ region }),
      requestStats: (answered) => balloon.requestStats(answered),
      hint: (ended) => balloon.hint(ended),
      killDevice: () => balloon.kill(),
      finish: (end) => machine.finish(end),
      noted: (note) => this.observer.noted?.(note),
    });
  }

  #finish(end: VmEnd): void {
    this.policy.stop();
    this.#machine?.close();
    this.#scenario?.stop();
    this.#balloon?.close();
    for (const disk of this.#disks) disk.close();
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
    Disk,
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
      jailed: DEVICE_ENTRIES,
      modules: (config) => [
        new ContainerModule(({ bind }) => {
          bind(BALLOON_VM_CONFIG).toConstantValue(config);
          bind(BalloonDeviceLane).toSelf();
        }),
      ],
    },
  },
  parseConfig: parseBalloonConfig,
  check: (config) => {
    const check = balloonCheck(config);
    if (check === undefined) return undefined;
    const modules = [
      new ContainerModule(({ bind }) => void bind(BALLOON_VM_OBSERVER).toConstantValue(check)),
    ];
    return { lane: 'main', modules, findings: () => check.findings() };
  },
};

/** What a run of this configuration must show, as an observer that judges it at its end. */
export function balloonCheck(config: BalloonVmConfig): RecoveryCheck | undefined {
  return config.expects === 'recovery' ? new RecoveryCheck(config) : undefined;
}
