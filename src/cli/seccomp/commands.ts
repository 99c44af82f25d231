import type { Command } from 'commander';
import type { Output } from '../output.js';

/** Runs one command and turns whatever it throws into one line and an exit code. */
export type Action = (
  run: (output: Output, flags: Flags, args: readonly unknown[]) => Promise<number> | number,
) => (...given: unknown[]) => Promise<void>;

export type Flags = Readonly<Record<string, unknown>>;

/** What works on seccomp policies. Everything behind it is loaded when a command runs: its tables are large. */
export function addSeccompCommands(halyard: Command, action: Action): void {
  const seccomp = halyard
    .command('seccomp')
    .description(
      "minijail's seccomp policies: compile, run, explain, compare, test and learn them",
    );

  seccomp
    .command('test <files...>')
    .description('run policy tests: JSON or YAML files of cases and the verdicts they expect')
    .option('--json', 'print one JSON object a case')
    .action(
      action(async (output, _flags, [files]) => {
        const { testCommand } = await import('./test-command.js');
        return testCommand(files as string[], output);
      }),
    );
}
