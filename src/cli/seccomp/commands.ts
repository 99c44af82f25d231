import { type Command, Option } from 'commander';
import type { Dialect } from '../../seccomp/policy.js';
import { wholeNumber } from '../option-values.js';
import type { Output } from '../output.js';
import { addArchOption, addPolicyOptions, dialectOption, policyFlags } from './policy-options.js';

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
  addCompile(seccomp, action);
  addPrograms(seccomp, action);
  addLint(seccomp, action);
  addDiff(seccomp, action);
  addTest(seccomp, action);
  addLearn(seccomp, action);
}

function addCompile(seccomp: Command, action: Action): void {
  addPolicyOptions(
    seccomp
      .command('compile <policy>')
      .description('compile a policy to a raw filter (struct sock_filter) or to C'),
  )
    .option('-o, --output <file>', 'where to write it')
    .addOption(
      new Option('--format <format>', 'raw: for seccomp(2); c: an array of C')
        .choices(['raw', 'c'])
        .default('raw'),
    )
    .option('--name <identifier>', "the array's name in C", 'filter')
    .action(
      action(async (output, flags, [policy]) => {
        const { compileCommand } = await import('./compile-command.js');
        return compileCommand(
          policy as string,
          {
            ...policyFlags(flags),
            output: flags['output'] as string | undefined,
            format: flags['format'] as 'raw' | 'c',
            name: flags['name'] as string,
          },
          output,
        );
      }),
    );
}

/** The syscall to ask about. */
function addSyscallOptions(command: Command): Command {
  return command
    .option('--syscall <name>', 'the syscall by its name')
    .option('--nr <number>', 'the syscall by its number', wholeNumber)
    .option(
      '--args <values...>',
      'its arguments: numbers (0x too) and constants by name, separated by blanks or commas; the rest is 0',
    );
}

function syscallFlags(flags: Flags) {
  return {
    ...policyFlags(flags),
    syscall: flags['syscall'] as string | undefined,
    nr: flags['nr'] as number | undefined,
    args: (flags['args'] ?? []) as readonly string[],
  };
}

function addPrograms(seccomp: Command, action: Action): void {
  addPolicyOptions(
    seccomp
      .command('disasm <file>')
      .description('show a raw filter, or with --dialect what a policy compiles to'),
  ).action(
    action(async (output, flags, [file]) => {
      const { disasmCommand } = await import('./program-commands.js');
      return disasmCommand(file as string, policyFlags(flags), output);
    }),
  );
  addSyscallOptions(
    addPolicyOptions(
      seccomp
        .command('eval <file>')
        .description('run a raw filter, or with --dialect a policy, on one syscall'),
    ),
  ).action(
    action(async (output, flags, [file]) => {
      const { evalCommand } = await import('./program-commands.js');
      return evalCommand(file as string, syscallFlags(flags), output);
    }),
  );
  addSyscallOptions(
    addPolicyOptions(
      seccomp
        .command('explain <policy>')
        .description('say which line decides on a syscall, why, and what would allow it'),
    ),
  ).action(
    action(async (output, flags, [policy]) => {
      const { explainCommand } = await import('./program-commands.js');
      return explainCommand(policy as string, syscallFlags(flags), output);
    }),
  );
}

function addLint(seccomp: Command, action: Action): void {
  addPolicyOptions(
    seccomp
      .command('lint <policies...>')
      .description(
        'find what is accepted and hardly meant; ARCH=POLICY for several architectures compares them',
      ),
  ).action(
    action(async (output, flags, [policies]) => {
      const { lintCommand } = await import('./lint-command.js');
      return lintCommand(policies as string[], policyFlags(flags), output);
    }),
  );
}

function addDiff(seccomp: Command, action: Action): void {
  addPolicyOptions(
    seccomp
      .command('diff <a> <b>')
      .description('compare two policies by what they decide, with a syscall for each difference'),
  )
    .addOption(dialectOption('--dialect-b', 'of B, if it is not that of A'))
    .option('--subset', 'exit with 0 if all that A allows is allowed by B', false)
    .action(
      action(async (output, flags, [a, b]) => {
        const { diffCommand } = await import('./diff-command.js');
        return diffCommand(
          [a as string, b as string],
          {
            ...policyFlags(flags),
            dialectB: flags['dialectB'] as Dialect | undefined,
            subset: flags['subset'] === true,
          },
          output,
        );
      }),
    );
}

function addTest(seccomp: Command, action: Action): void {
  addArchOption(
    seccomp
      .command('test <files...>')
      .description('run policy tests: JSON or YAML files of cases and the verdicts they expect'),
    'of cases that do not say it',
  )
    .addOption(dialectOption('--dialect', 'of cases that do not say it'))
    .option('--json', 'print one JSON object a case')
    .action(
      action(async (output, flags, [files]) => {
        const { testCommand } = await import('./test-command.js');
        const { arch, dialect } = policyFlags(flags);
        return testCommand(files as string[], { arch, dialect }, output);
      }),
    );
}

function addLearn(seccomp: Command, action: Action): void {
  addArchOption(
    seccomp
      .command('learn [command...]')
      .description(
        'propose a policy from a recording, a log, or a run of a command (learn -- COMMAND)',
      ),
    'all of them by default',
  )
    .addOption(dialectOption('--dialect', 'what the policy is for'))
    .option(
      '--trace <file>',
      'a recording: the syscalls of its HAL calls, and what run --jail log let pass',
    )
    .option('--lane <name>', 'of this lane of the recording alone')
    .option('--program <module>', 'the module that exports the recorded program, if it is not ours')
    .option('--strace <file>', 'a log of strace -f')
    .option(
      '--audit <file>',
      "the kernel's or auditd's log of a filter that logs; it has no arguments",
    )
    .option('--log-arch <arch>', "where the log was made; this machine's architecture by default")
    .option('-o, --output <folder>', 'write ARCH/NAME.policy into this folder')
    .option('--name <name>', "the policies' file name there", 'learned')
    .option('--json', 'print one JSON value')
    .action(
      action(async (output, flags, [command]) => {
        const { learnCommand } = await import('./learn-command.js');
        const { arch, dialect } = policyFlags(flags);
        const text = (name: string) => flags[name] as string | undefined;
        return learnCommand(
          command as string[],
          {
            arch,
            dialect,
            trace: text('trace'),
            lane: text('lane'),
            program: text('program'),
            strace: text('strace'),
            audit: text('audit'),
            logArch: text('logArch'),
            output: text('output'),
            name: text('name') ?? 'learned',
          },
          output,
        );
      }),
    );
}
