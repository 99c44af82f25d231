import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { nativeArchitecture } from '../guest-image/architecture.js';
import { BYTES_PER_MIB } from '../hal/contract/units.js';
import { DRIVER_WRITES } from '../machine/mmio-slots.js';
import {
  type BalloonChoice,
  DEFAULT_COMMAND_LINE,
  DEFAULT_CONFIG,
  type DiskChoice,
  parseBalloonConfig,
} from '../programs/balloon-config.js';
import { JAIL_CHOICES } from '../programs/device-jail.js';
import { REGISTER_READS } from '../programs/device-page.js';
import { UsageError } from './failure.js';
import { wholeNumber } from './option-values.js';
import type { RunFlags } from './run-command.js';

type Flags = Readonly<Record<string, unknown>>;

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a number of 0 or more');
  }
  return value;
}

/** MiB, as a plain number or with a unit: 512, 512MiB, 1GiB. */
function sizeInMiB(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(MiB|GiB)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('expected a size such as 512MiB or 1GiB');
  return Number(match[1]) * (match[2]?.toLowerCase() === 'gib' ? 1024 : 1);
}

function margin(text: string): unknown {
  if (text === 'auto') return text;
  if (!/^-?\d+(\.\d+)?$/.test(text)) {
    throw new InvalidArgumentError('expected a number of MiB, -N or "auto"');
  }
  return text.startsWith('-') ? { belowAvailable: Number(text.slice(1)) } : Number(text);
}

/** A switch of the balloon's by its name on the command line. */
const BALLOON_FLAGS: Readonly<Record<string, keyof BalloonChoice>> = {
  stats: 'statsQueue',
  'deflate-on-oom': 'deflateOnOom',
  'must-tell-host': 'mustTellHost',
  reporting: 'freePageReporting',
  hinting: 'freePageHinting',
  poison: 'pagePoison',
};
const STATS_INTERVAL = 'stats-interval';

/** As in `reporting,deflate-on-oom=off,stats-interval=5`. */
function balloonChoice(text: string): Partial<BalloonChoice> {
  const choice: Record<string, boolean | number> = {};
  for (const part of text.split(',')) {
    const [name = '', value = 'on'] = part.split('=');
    const flag = BALLOON_FLAGS[name];
    if (name === STATS_INTERVAL) choice['statsIntervalSeconds'] = amount(value);
    else if (flag !== undefined && /^(on|off)$/.test(value)) choice[flag] = value === 'on';
    else {
      const names = [...Object.keys(BALLOON_FLAGS), STATS_INTERVAL].join(', ');
      throw new InvalidArgumentError(`expected some of ${names}, each with =on or =off`);
    }
  }
  return choice;
}

/** What `--disk` says: a choice for the configuration, and a path for this machine. */
interface DiskFlag {
  readonly choice: DiskChoice;
  readonly path: string | undefined;
}

/** As in `disk.img`, `disk.img,ro` or `null:2GiB`; the option may be repeated. */
function diskFlag(text: string, before: readonly DiskFlag[] = []): readonly DiskFlag[] {
  const size = /^null:(.+)$/.exec(text)?.[1];
  if (size !== undefined) {
    return [...before, { choice: { kind: 'null', sizeMiB: sizeInMiB(size) }, path: undefined }];
  }
  const readOnly = text.endsWith(',ro');
  const path = readOnly ? text.slice(0, -',ro'.length) : text;
  return [...before, { choice: { kind: 'file', readOnly }, path }];
}

/** The options of `run` and `record`. */
export function addRunOptions(command: Command): Command {
  const { work } = DEFAULT_CONFIG;
  return command
    .option(
      '--memory <size>',
      'memory of the guest, in MiB or as 1GiB',
      sizeInMiB,
      DEFAULT_CONFIG.ramMiB,
    )
    .option(
      '--kernel <file>',
      'boot this Linux kernel (bzImage, or Image on arm64) instead of the micro guest',
    )
    .option('--initrd <file>', 'with this initial RAM disk')
    .option('--append <text>', "the kernel's command line", DEFAULT_COMMAND_LINE)
    .option('--cpus <n>', 'vCPUs of a Linux guest', wholeNumber, DEFAULT_CONFIG.cpus)
    .option(
      '--disk <what>',
      'a disk of a Linux guest: FILE, FILE,ro or null:SIZE; may be repeated',
      diskFlag,
    )
    .option(
      '--balloon <options>',
      'what the balloon offers, as reporting,hinting,poison,stats=off,deflate-on-oom=off,must-tell-host=off,stats-interval=5',
      balloonChoice,
    )
    .option('--scenario <json|file>', 'what the run shall do by itself, step by step')
    .addOption(
      new Option('--policy <name>', 'who steers the balloon: the policy of 2018, or nobody')
        .choices(['step', 'off'])
        .default(DEFAULT_CONFIG.policy),
    )
    .option(
      '--margin <MiB>',
      'low-memory margin: MiB, "auto", or -N for N MiB under what is available at the start',
      margin,
      DEFAULT_CONFIG.margin,
    )
    .option('--seconds <n>', 'end the run after so long; 0: when the guest ends', amount, 0)
    .option('--touch <MiB>', 'memory that the guest uses', amount, work.touchBytes / BYTES_PER_MIB)
    .option('--time-scale <x>', "multiplies the policy's timers; 1 is the original", amount, 1)
    .addOption(
      new Option(
        '--expects <what>',
        'what the run must show, here and on every replay: recovery',
      ).choices(['recovery']),
    )
    .addOption(
      new Option('--device <where>', 'where the balloon device runs')
        .choices(['in-process', 'process'])
        .default('process'),
    )
    .addOption(
      new Option(
        '--register-reads <how>',
        "how the guest reads its devices' registers: each time by an exit, or (x86_64) from memory that it may only read",
      )
        .choices(REGISTER_READS)
        .default(nativeArchitecture() === 'x86_64' ? 'memory' : 'exit'),
    )
    .addOption(
      new Option(
        '--driver-writes <how>',
        "whether the guest's drivers wait for an answer to each acknowledgement of an interrupt and each report of the balloon's size (exit), or go on (posted)",
      )
        .choices(DRIVER_WRITES)
        .default('posted'),
    )
    .addOption(
      new Option(
        '--jail <refusal>',
        "the device's process is jailed; for what its policy does not allow this process is told and ends it, the kernel ends it, or it is told and done all the same",
      )
        .choices(JAIL_CHOICES.filter((choice) => choice !== 'off'))
        .default('user-notify'),
    )
    .option('--no-jail', 'the device runs with all the rights of this user')
    .option(
      '--jail-policy <file>',
      "a policy of your own for the device (minijail's Python dialect)",
    )
    .addOption(
      new Option('--on-device-exit <do>', 'when the process of the device ends')
        .choices(['restart', 'stop'])
        .default(DEFAULT_CONFIG.onDeviceExit),
    )
    .option('--config <json|file>', 'the whole configuration as JSON, instead of the options above')
    .addOption(
      new Option('--on-trace-error <do>', 'what the VM does when the trace cannot be written')
        .choices(['stop', 'go-on'])
        .default('stop'),
    )
    .option(
      '--console <file>',
      "the guest's console goes to this file; a Linux guest's otherwise to the terminal",
    )
    .option('--json', 'print one JSON value');
}

/** JSON as it stands there, or the name of a file that has it. @throws UsageError */
function readJson(flag: string, text: string): unknown {
  const json = text.trimStart().startsWith('{') ? text : readJsonFile(flag, text);
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new UsageError(`${flag} is not JSON: ${(error as Error).message}`);
  }
}

function readJsonFile(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be read: ${(error as Error).message}`);
  }
}

function disksOf(flags: Flags): readonly DiskFlag[] {
  return (flags['disk'] ?? []) as readonly DiskFlag[];
}

/** @param flag false for `--no-jail`. */
function jailChoice(flag: unknown): unknown {
  return flag === false ? 'off' : flag;
}

function givenConfig(flags: Flags): unknown {
  const given = flags['config'] as string | undefined;
  if (given !== undefined) return readJson('--config', given);
  const scenario = flags['scenario'] as string | undefined;
  const linux = { commandLine: flags['append'], hasInitrd: flags['initrd'] !== undefined };
  return {
    // Of this machine: KVM runs no other.
    guestArchitecture: nativeArchitecture() === 'arm64' ? 'aarch64' : 'x86_64',
    ramMiB: flags['memory'],
    margin: flags['margin'],
    seconds: flags['seconds'],
    timeScale: flags['timeScale'],
    device: flags['device'],
    registerReads: flags['registerReads'],
    driverWrites: flags['driverWrites'],
    jail: flags['device'] === 'process' ? jailChoice(flags['jail']) : 'off',
    onDeviceExit: flags['onDeviceExit'],
    work: { touchBytes: Number(flags['touch']) * BYTES_PER_MIB },
    linux: flags['kernel'] === undefined ? null : linux,
    cpus: flags['cpus'],
    disks: disksOf(flags).map(({ choice }) => choice),
    balloon: flags['balloon'] ?? {},
    policy: flags['policy'],
    expects: flags['expects'] ?? null,
    ...(scenario === undefined ? {} : { scenario: readJson('--scenario', scenario) }),
  };
}

/** The images are the machine's matter, the rest is the configuration's. */
export function runFlags(flags: Flags, record: string | undefined): RunFlags {
  const images = {
    kernel: flags['kernel'] as string | undefined,
    initrd: flags['initrd'] as string | undefined,
    disks: disksOf(flags).map(({ path }) => path),
  };
  const config = parseBalloonConfig(givenConfig(flags));
  if (config.linux === null && images.initrd !== undefined) {
    throw new UsageError('--initrd goes with --kernel');
  }
  if (config.linux !== null && images.kernel === undefined) {
    throw new UsageError('the configuration boots Linux: say which with --kernel');
  }
  const jailPolicy = flags['jailPolicy'] as string | undefined;
  if (config.jail === 'off' && jailPolicy !== undefined) {
    throw new UsageError('--jail-policy goes with a jail, and there is none');
  }
  if (config.device === 'process' && config.scenario.steps.some((step) => 'hint' in step)) {
    throw new UsageError('only a device in this process can be asked to hint: --device in-process');
  }
  return {
    config,
    record,
    images,
    onTraceError: flags['onTraceError'] as 'stop' | 'go-on',
    console: flags['console'] as string | undefined,
    jailPolicy,
  };
}
