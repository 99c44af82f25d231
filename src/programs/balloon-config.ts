import { BYTES_PER_MIB, type Bytes, type MiB } from '../hal/contract/units.js';
import { DRIVER_WRITES, type DriverWrites } from '../machine/mmio-slots.js';
import type { MarginSetting } from '../policy/figure-reader.js';
import { ConfigError } from '../program.js';
import { JAIL_CHOICES, type JailChoice } from './device-jail.js';
import { REGISTER_READS, type RegisterReads } from './device-page.js';
import type { DeviceExitChoice } from './device-process.js';
import { NO_SCENARIO, parseScenario, type Scenario } from './scenario.js';

/** What the micro guest does. */
export interface MicroGuestWork {
  /** How much memory it uses and then frees. */
  readonly touchBytes: Bytes;
  /** In pieces of this size, with a pause after each. */
  readonly touchChunkBytes: Bytes;
  readonly touchIntervalUs: number;
  readonly touchRounds: number;
  readonly roundPauseUs: number;
  /** Fresh pages in a shuffled order instead of ascending. */
  readonly shuffle: boolean;
  /** Uses pages again when the balloon gives them back, and checks that they read as zero. */
  readonly retouch: boolean;
  /** Breaks the rules of virtio on purpose: 0 not at all, 1 in every way it knows. */
  readonly hostileMode: number;
  /** Ends the guest when nothing happened for so long; 0 means never. */
  readonly idleExitUs: number;
}

/** A Linux guest. Its images are files of the host's; a trace has their lengths and hashes. */
export interface LinuxConfig {
  readonly commandLine: string;
  readonly hasInitrd: boolean;
}

/** A disk of the guest: a raw image of the host's, or one that gives zeros and drops what is written. */
export type DiskChoice =
  | { readonly kind: 'file'; readonly readOnly: boolean }
  | { readonly kind: 'null'; readonly sizeMiB: MiB };

/** Who steers the balloon: the policy of 2018, or nobody. */
export type PolicyChoice = 'step' | 'off';

/** What the balloon offers its driver, and how often it is asked for statistics. */
export interface BalloonChoice {
  readonly mustTellHost: boolean;
  readonly statsQueue: boolean;
  readonly deflateOnOom: boolean;
  readonly freePageReporting: boolean;
  readonly freePageHinting: boolean;
  readonly pagePoison: boolean;
  /** 0: only when someone asks. */
  readonly statsIntervalSeconds: number;
}

/** Injection token of the configuration. */
export const BALLOON_VM_CONFIG = Symbol('BalloonVmConfig');

/** Where the balloon's queues are served. */
export type DevicePlacement = 'in-process' | 'process';

/** Everything that a run of the balloon VM depends on. It travels in the trace. */
export interface BalloonVmConfig {
  /** The guest's architecture; the host's is never asked. */
  readonly guestArchitecture: 'x86_64' | 'aarch64';
  readonly ramMiB: MiB;
  /** In MiB, `auto`, or so much below what is available at the start. Counts where the kernel has no margin. */
  readonly margin: MarginSetting;
  /** Multiplies the policy's durations; 1 is the original. */
  readonly timeScale: number;
  /** How long the run lasts; 0 means until the guest ends or someone interrupts. */
  readonly seconds: number;
  readonly device: DevicePlacement;
  /** From memory only on x86_64: arm64 lets a guest read past the caches. By exits unless it is said: recordings are older. */
  readonly registerReads: RegisterReads;
  /** Exits unless it is said, likewise. */
  readonly driverWrites: DriverWrites;
  /** Of the device's process, if it has one. Off unless it is said: recordings are older than jails. */
  readonly jail: JailChoice;
  readonly onDeviceExit: DeviceExitChoice;
  readonly balloon: BalloonChoice;
  /** What the micro guest does, if it is what boots. */
  readonly work: MicroGuestWork;
  /** The guest that boots instead of the micro guest. */
  readonly linux: LinuxConfig | null;
  readonly cpus: number;
  /** Linux calls them vda, vdb and so on. */
  readonly disks: readonly DiskChoice[];
  readonly policy: PolicyChoice;
  /** What the run does by itself. */
  readonly scenario: Scenario;
  /** What the run must show: pressure, a balloon that grows by sixteenths, recovery, and an empty balloon. */
  readonly expects: 'recovery' | null;
  /** A control message sent by hand after the start: the balloon's target. Null leaves it to the policy. */
  readonly burstMiB: MiB | null;
}

export const DEFAULT_CONFIG: BalloonVmConfig = {
  guestArchitecture: 'x86_64',
  ramMiB: 1024,
  margin: 'auto',
  timeScale: 1,
  seconds: 0,
  device: 'in-process',
  registerReads: 'exit',
  driverWrites: 'exit',
  jail: 'off',
  onDeviceExit: 'restart',
  balloon: {
    mustTellHost: true,
    statsQueue: true,
    deflateOnOom: true,
    freePageReporting: false,
    freePageHinting: false,
    pagePoison: false,
    statsIntervalSeconds: 0,
  },
  work: {
    touchBytes: 512 * BYTES_PER_MIB,
    touchChunkBytes: 16 * BYTES_PER_MIB,
    touchIntervalUs: 100_000,
    touchRounds: 1,
    roundPauseUs: 0,
    shuffle: false,
    retouch: false,
    hostileMode: 0,
    idleExitUs: 0,
  },
  linux: null,
  cpus: 1,
  disks: [],
  policy: 'step',
  scenario: NO_SCENARIO,
  expects: null,
  burstMiB: null,
};

/** Ends on a panic, restarts without waiting, and has its console on the serial port. */
export const DEFAULT_COMMAND_LINE = 'console=ttyS0 reboot=k panic=-1';

const MIN_RAM_MIB = 16;
const MAX_RAM_MIB = 1_048_576;
const MAX_CPUS = 64;
const MAX_DISKS = 8;
/** The guest's own structures and its image need a little. */
const GUEST_RESERVE_MIB = 8;

export function ramBytes(config: BalloonVmConfig): Bytes {
  return config.ramMiB * BYTES_PER_MIB;
}

/** Checks a configuration that comes from a trace, a file or the command line; missing values have their defaults. */
export function parseBalloonConfig(json: unknown): BalloonVmConfig {
  const given = object(json, 'the configuration');
  known(given, Object.keys(DEFAULT_CONFIG), 'the configuration');
  const work = object(given['work'] ?? {}, 'work');
  known(work, Object.keys(DEFAULT_CONFIG.work), 'work');
  const balloon = object(given['balloon'] ?? {}, 'balloon');
  known(balloon, Object.keys(DEFAULT_CONFIG.balloon), 'balloon');
  const config = {
    ...DEFAULT_CONFIG,
    ...given,
    balloon: { ...DEFAULT_CONFIG.balloon, ...balloon },
    work: { ...DEFAULT_CONFIG.work, ...work },
  } as BalloonVmConfig;
  choice('guestArchitecture', config.guestArchitecture, ['x86_64', 'aarch64']);
  if (config.guestArchitecture !== 'x86_64' && config.linux === null) {
    throw new ConfigError('the micro guest is for x86_64; on arm64, boot Linux (--kernel)');
  }
  choice('device', config.device, ['in-process', 'process']);
  choice('registerReads', config.registerReads, REGISTER_READS);
  if (config.registerReads === 'memory' && config.guestArchitecture !== 'x86_64') {
    throw new ConfigError("only a guest of x86_64 can read its devices' registers from memory");
  }
  choice('driverWrites', config.driverWrites, DRIVER_WRITES);
  choice('jail', config.jail, JAIL_CHOICES);
  if (config.jail !== 'off' && config.device !== 'process') {
    throw new ConfigError('only a device in a process of its own can be jailed (--device process)');
  }
  choice('onDeviceExit', config.onDeviceExit, ['restart', 'stop']);
  whole('ramMiB', config.ramMiB, MIN_RAM_MIB, MAX_RAM_MIB);
  checkMargin(config.margin);
  positive('timeScale', config.timeScale);
  if (!(Number.isFinite(config.seconds) && config.seconds >= 0)) {
    throw new ConfigError(`seconds must be 0 or more, got ${String(config.seconds)}`);
  }
  if (config.burstMiB !== null) whole('burstMiB', config.burstMiB, 0, config.ramMiB);
  whole('cpus', config.cpus, 1, config.linux === null ? 1 : MAX_CPUS);
  if (config.expects !== null) choice('expects', config.expects, ['recovery']);
  choice('policy', config.policy, ['step', 'off']);
  checkBalloon(config.balloon);
  if (config.linux === null) checkWork(config);
  checkDisks(config.disks);
  return { ...config, linux: checkedLinux(config.linux), scenario: parseScenario(config.scenario) };
}

function checkBalloon({ statsIntervalSeconds, ...flags }: BalloonChoice): void {
  for (const [name, value] of Object.entries(flags)) flag(`balloon.${name}`, value);
  if (!(Number.isFinite(statsIntervalSeconds) && statsIntervalSeconds >= 0)) {
    throw new ConfigError('balloon.statsIntervalSeconds must be 0 or more');
  }
}

function checkDisks(disks: unknown): void {
  if (!Array.isArray(disks) || disks.length > MAX_DISKS) {
    throw new ConfigError(`disks must be a list of at most ${MAX_DISKS}`);
  }
  for (const [index, given] of disks.entries()) {
    const name = `disks[${index}]`;
    const disk = object(given, name);
    choice(`${name}.kind`, disk['kind'], ['file', 'null']);
    known(disk, disk['kind'] === 'file' ? ['kind', 'readOnly'] : ['kind', 'sizeMiB'], name);
    if (disk['kind'] === 'file') flag(`${name}.readOnly`, disk['readOnly']);
    else whole(`${name}.sizeMiB`, disk['sizeMiB'], 1, MAX_RAM_MIB);
  }
}

function checkedLinux(given: unknown): LinuxConfig | null {
  if (given === null) return null;
  const linux = object(given, 'linux');
  known(linux, ['commandLine', 'hasInitrd'], 'linux');
  const { commandLine = DEFAULT_COMMAND_LINE, hasInitrd = false } = linux;
  if (typeof commandLine !== 'string' || commandLine.includes('\0')) {
    throw new ConfigError('linux.commandLine must be text without NUL characters');
  }
  flag('linux.hasInitrd', hasInitrd);
  return { commandLine, hasInitrd: hasInitrd === true };
}

function checkWork({ work, ramMiB }: BalloonVmConfig): void {
  const limit = (ramMiB - GUEST_RESERVE_MIB) * BYTES_PER_MIB;
  whole('work.touchBytes', work.touchBytes, 0, limit);
  whole('work.touchChunkBytes', work.touchChunkBytes, 0, 0xffff_ffff);
  whole('work.touchIntervalUs', work.touchIntervalUs, 0, 0xffff_ffff);
  whole('work.touchRounds', work.touchRounds, 0, 0xffff_ffff);
  whole('work.roundPauseUs', work.roundPauseUs, 0, 0xffff_ffff);
  whole('work.hostileMode', work.hostileMode, 0, 0x1ff);
  whole('work.idleExitUs', work.idleExitUs, 0, 0xffff_ffff);
  flag('work.shuffle', work.shuffle);
  flag('work.retouch', work.retouch);
}

function checkMargin(margin: unknown): void {
  if (margin === 'auto') return;
  if (typeof margin === 'object' && margin !== null) {
    const { belowAvailable } = margin as Record<string, unknown>;
    whole('margin.belowAvailable', belowAvailable, 0, Number.MAX_SAFE_INTEGER);
  } else whole('margin', margin, 0, Number.MAX_SAFE_INTEGER);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ConfigError(`${what} must be an object, got ${String(value)}`);
}

function known(value: Record<string, unknown>, names: readonly string[], what: string): void {
  const stranger = Object.keys(value).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new ConfigError(`${what} has no "${stranger}"; it has ${names.join(', ')}`);
  }
}

function whole(name: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return;
  throw new ConfigError(
    `${name} must be a whole number from ${min} to ${max}, got ${String(value)}`,
  );
}

function positive(name: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return;
  throw new ConfigError(`${name} must be a number above 0, got ${String(value)}`);
}

function flag(name: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new ConfigError(`${name} must be true or false, got ${String(value)}`);
}

function choice(name: string, value: unknown, values: readonly string[]): void {
  if (typeof value === 'string' && values.includes(value)) return;
  throw new ConfigError(`${name} must be one of ${values.join(', ')}, got ${String(value)}`);
}
