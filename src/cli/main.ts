import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  GUEST_ARCHITECTURES,
  type GuestArchitecture,
  nativeArchitecture,
} from '../guest-image/architecture.js';
import { BYTES_PER_MIB } from '../hal/contract/units.js';
import type { MatchMode } from '../hal/replay/matcher.js';
import { packageVersion } from '../package-info.js';
import {
  DEFAULT_COMMAND_LINE,
  DEFAULT_CONFIG,
  parseBalloonConfig,
} from '../programs/balloon-config.js';
import { EXIT, explain, UsageError } from './failure.js';
import { Output, outliveReaders } from './output.js';
import type { RunFlags } from './run-command.js';

type Flags = Readonly<Record<string, unknown>>;

let exitCode: number = EXIT.ok;

/** Runs one command and turns whatever it throws into one line and an exit code. */
function action(
  run: (output: Output, flags: Flags, args: readonly unknown[]) => Promise<number> | number,
) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const flags = command.optsWithGlobals() as Flags;
    const output = new Output(flags['json'] === true);
    try {
      exitCode = await run(output, flags, given.slice(0, -2));
    } catch (error) {
      const { line, exitCode: code, code: name } = explain(error);
      output.warn(line);
      output.result({ error: { code: name, message: line } });
      exitCode = code;
    }
  };
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a number of 0 or more');
  }
  return value;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number of 0 or more');
  return Number(text);
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

function addRunOptions(command: Command): Command {
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
    .option('--seconds <n>', 'end the run after so long; 0: when the guest ends', number, 0)
    .option('--touch <MiB>', 'memory that the guest uses', number, work.touchBytes / BYTES_PER_MIB)
    .option('--time-scale <x>', "multiplies the policy's timers; 1 is the original", number, 1)
    .addOption(
      new Option(
        '--expects <what>',
        'what the run must show, here and on every replay: recovery',
      ).choices(['recovery']),
    )
    .addOption(
      new Option('--device <where>', 'where the balloon device runs')
        .choices(['in-process', 'process'])
        .default(DEFAULT_CONFIG.device),
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
    work: { touchBytes: Number(flags['touch']) * BYTES_PER_MIB },
    linux: flags['kernel'] === undefined ? null : linux,
    cpus: flags['cpus'],
    policy: flags['policy'],
    expects: flags['expects'] ?? null,
    ...(scenario === undefined ? {} : { scenario: readJson('--scenario', scenario) }),
  };
}

/** The images are the machine's matter, the rest is the configuration's. */
function runFlags(flags: Flags, record: string | undefined): RunFlags {
  const images = {
    kernel: flags['kernel'] as string | undefined,
    initrd: flags['initrd'] as string | undefined,
  };
  const config = parseBalloonConfig(givenConfig(flags));
  if (config.linux === null && images.initrd !== undefined) {
    throw new UsageError('--initrd goes with --kernel');
  }
  if (config.linux !== null && images.kernel === undefined) {
    throw new UsageError('the configuration boots Linux: say which with --kernel');
  }
  return {
    config,
    record,
    images,
    onTraceError: flags['onTraceError'] as 'stop' | 'go-on',
    console: flags['console'] as string | undefined,
  };
}

const EXAMPLES = `
Examples:
  halyard demo                                       see all of it in half a minute
  halyard run --margin -300 --seconds 30 --record run.mcap
  halyard run --kernel vmlinuz --initrd initrd.gz --memory 1GiB --cpus 2
  halyard replay run.mcap                            without hardware, on any machine
  halyard inspect run.mcap --turn 12                 every call of one turn

Exit codes: 0 all is well; 1 a divergence or a failed run; 2 bad input or usage; 3 hardware that is not there`;

const halyard = new Command('halyard')
  .description(
    'Runs virtual machines whose memory a balloon policy manages; records them and replays them anywhere.',
  )
  .version(packageVersion(), '-v, --version', 'print the version')
  .addHelpText('after', EXAMPLES)
  .exitOverride()
  .configureOutput({
    outputError: (text, write) => write(`halyard: ${text.replace(/^error: /, '')}`),
  });

addRunOptions(halyard.command('run').description('run a VM with its balloon under the 2018 policy'))
  .option('--record <file>', 'write a trace of the run')
  .action(
    action(async (output, flags) => {
      const { runCommand } = await import('./run-command.js');
      return runCommand(runFlags(flags, flags['record'] as string | undefined), output);
    }),
  );

addRunOptions(
  halyard.command('record <file>').description('run a VM and write a trace of it'),
).action(
  action(async (output, flags, [file]) => {
    const { runCommand } = await import('./run-command.js');
    return runCommand(runFlags(flags, file as string), output);
  }),
);

halyard
  .command('replay <files...>')
  .description('replay traces without hardware, and say whether the program still does the same')
  .addOption(
    new Option(
      '--match <mode>',
      'exact: same calls, same order, same bytes; effects: same effects between fences',
    )
      .choices(['exact', 'effects'])
      .default('exact'),
  )
  .option('--program <module>', 'the module that exports the recorded program, if it is not ours')
  .option('--json', 'print one JSON value')
  .action(
    action(async (output, flags, [files]) => {
      const { replayCommand } = await import('./replay-command.js');
      const match = flags['match'] as MatchMode;
      return replayCommand(
        files as string[],
        { match, program: flags['program'] as string | undefined },
        output,
      );
    }),
  );

halyard
  .command('inspect <file>')
  .description('say what a trace is; with --turn, show every call of one turn')
  .option('--turn <n>', 'the turn to show, from 0', wholeNumber)
  .option('--lane <name>', 'of this lane', 'main')
  .option('--program <module>', 'the module that exports the recorded program, if it is not ours')
  .option('--json', 'print one JSON value')
  .action(
    action(async (output, flags, [file]) => {
      const { inspectCommand } = await import('./inspect-command.js');
      return inspectCommand(
        file as string,
        {
          turn: flags['turn'] as number | undefined,
          lane: flags['lane'] as string | undefined,
          program: flags['program'] as string | undefined,
        },
        output,
      );
    }),
  );

halyard
  .command('repair <file>')
  .description('recover what is whole in a damaged or unfinished trace')
  .requiredOption('-o, --output <file>', 'the new trace; the damaged one is left as it is')
  .option('--json', 'print one JSON value')
  .action(
    action(async (output, flags, [file]) => {
      const { repairCommand } = await import('./repair-command.js');
      return repairCommand(file as string, flags['output'] as string, output);
    }),
  );

halyard
  .command('doctor')
  .description('say what this machine can do, and what to do about the rest')
  .option('--json', 'print one JSON value')
  .action(
    action(async (output) => {
      const { doctorCommand } = await import('./doctor-command.js');
      return doctorCommand(output);
    }),
  );

halyard
  .command('guest')
  .description('Linux guests')
  .command('fetch')
  .description("get Debian's cloud kernel and an initrd for it by apt, without root, and say where")
  .addOption(
    new Option('--arch <arch>', "the guest's architecture")
      .choices(GUEST_ARCHITECTURES)
      .default(nativeArchitecture()),
  )
  .option('--refresh', 'look for a newer kernel than the cache has', false)
  .option('--json', 'print one JSON value')
  .action(
    action(async (output, flags) => {
      const { guestFetchCommand } = await import('./guest-command.js');
      const arch = flags['arch'] as GuestArchitecture;
      return guestFetchCommand({ arch, refresh: flags['refresh'] === true }, output);
    }),
  );

halyard
  .command('demo')
  .description('the main job: boot, pressure, balloon, recovery, trace, replay')
  .option('--json', 'print one JSON value')
  .action(
    action(async (output) => {
      const { demoCommand } = await import('./demo-command.js');
      return demoCommand(output);
    }),
  );

/** Runs the command line. Sets the exit code; never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  outliveReaders();
  try {
    await halyard.parseAsync(argv);
    process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  }
}
