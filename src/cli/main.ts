import { Command, CommanderError, Option } from 'commander';
import {
  GUEST_ARCHITECTURES,
  type GuestArchitecture,
  nativeArchitecture,
} from '../guest-image/architecture.js';
import type { MatchMode } from '../hal/replay/matcher.js';
import { packageVersion } from '../package-info.js';
import { EXIT, explain, UsageError } from './failure.js';
import type { JailFlags } from './jail-check.js';
import { wholeNumber } from './option-values.js';
import { Output, outliveReaders } from './output.js';
import { addRunOptions, runFlags } from './run-options.js';
import { addSeccompCommands, type Flags } from './seccomp/commands.js';

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
      const { line, exitCode: code, code: name, ...details } = explain(error);
      output.warn(line);
      output.result({ error: { code: name, message: line, ...details } });
      exitCode = code;
    }
  };
}

const JAIL_ARCHITECTURES = ['x86_64', 'aarch64', 'arm'] as const;

/** The policy of another architecture parses, and says nothing of this one: there is no default. */
function jailFlags(flags: Flags): JailFlags | undefined {
  const policy = flags['jail'] as string | undefined;
  if (policy === undefined) return undefined;
  const arch = flags['arch'] as JailFlags['arch'] | undefined;
  if (arch === undefined) {
    throw new UsageError(`--jail needs the policy's --arch: ${JAIL_ARCHITECTURES.join(', ')}`);
  }
  const lanes = (flags['lane'] ?? []) as readonly string[];
  return { policy, arch, dialect: flags['dialect'] as JailFlags['dialect'], lanes };
}

const EXAMPLES = `
Examples:
  halyard demo                                       see all of it in half a minute
  halyard run --margin -300 --seconds 30 --record run.mcap
  halyard run --kernel vmlinuz --initrd initrd.gz --memory 1GiB --cpus 2
  halyard replay run.mcap                            without hardware, on any machine
  halyard replay run.mcap --jail arm.policy --arch arm   what that jail would refuse
  halyard inspect run.mcap --turn 12                 every call of one turn
  halyard seccomp test policy-tests.json             seccomp policies, checked without their machine

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
  .option('--jail <policy>', 'a seccomp policy: say what it would do to the run; needs --arch')
  .addOption(
    new Option('--arch <arch>', 'the architecture of the policy').choices(JAIL_ARCHITECTURES),
  )
  .addOption(
    new Option('--dialect <dialect>', 'the language of the policy')
      .choices(['minijail-python', 'minijail-c'])
      .default('minijail-python'),
  )
  .option(
    '--lane <names...>',
    'judge all that these lanes do; without it, what the jailed process does',
  )
  .option('--json', 'print one JSON value')
  .action(
    action(async (output, flags, [files]) => {
      const { replayCommand } = await import('./replay-command.js');
      const match = flags['match'] as MatchMode;
      const program = flags['program'] as string | undefined;
      return replayCommand(files as string[], { match, program, jail: jailFlags(flags) }, output);
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

addSeccompCommands(halyard, action);

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
