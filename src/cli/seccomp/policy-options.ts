import { type Command, Option } from 'commander';
import type { Dialect } from '../../seccomp/policy.js';

/** As the command line has them; what they mean is found out by `policy-input.ts`, which loads the tables. */
export interface PolicyFlags {
  readonly arch: string | undefined;
  readonly dialect: Dialect | undefined;
  readonly defaultAction: string | undefined;
  readonly denylist: boolean;
  readonly useKillProcess: boolean;
  readonly useRetLog: boolean;
}

const DIALECTS: readonly Dialect[] = ['minijail-c', 'minijail-python'];

export function dialectOption(flag: string, description: string): Option {
  return new Option(`${flag} <dialect>`, description).choices(DIALECTS);
}

export function addArchOption(command: Command, use = "this machine's by default"): Command {
  return command.option('--arch <arch>', `x86_64, aarch64 or arm, by these or other names; ${use}`);
}

/** What decides how a policy is read. */
export function addPolicyOptions(command: Command): Command {
  return addArchOption(command)
    .addOption(
      dialectOption(
        '--dialect',
        'what libminijail reads at run time, or what its build-time compiler takes: they mean different things',
      ),
    )
    .option('--default-action <action>', 'for syscalls without rules, as the option of minijail')
    .option('--denylist', 'minijail-python: compile @denylist policies', false)
    .option('--use-kill-process', "minijail-python: what 'kill' means", false)
    .option('--use-ret-log', "minijail-python: 'kill' and every 'return' only log", false)
    .option('--json', 'print one JSON value');
}

export function policyFlags(flags: Readonly<Record<string, unknown>>): PolicyFlags {
  return {
    arch: flags['arch'] as string | undefined,
    dialect: flags['dialect'] as Dialect | undefined,
    defaultAction: flags['defaultAction'] as string | undefined,
    denylist: flags['denylist'] === true,
    useKillProcess: flags['useKillProcess'] === true,
    useRetLog: flags['useRetLog'] === true,
  };
}
