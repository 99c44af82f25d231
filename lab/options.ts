import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  GUEST_ARCHITECTURES,
  type GuestArchitecture,
  nativeArchitecture,
} from '../src/guest-image/architecture.js';

export interface LabOptions {
  readonly arch: GuestArchitecture;
  readonly hostMemoryBytes: number;
  /** What the command writes under /out comes here. */
  readonly out: string;
  readonly timeoutSeconds: number;
  readonly install: boolean;
  readonly refresh: boolean;
  readonly json: boolean;
  /** One word is a line for the shell; several are a program and its arguments. */
  readonly command: readonly string[];
}

const UNITS: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30 };
/** Less does not boot. */
const LEAST_MEMORY = 512 * 2 ** 20;

function memory(text: string): number {
  const match = /^(\d+)(MiB|GiB)$/.exec(text);
  const bytes = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
  if (!(bytes >= LEAST_MEMORY)) {
    throw new InvalidArgumentError('expected 512MiB or more, as in 2GiB');
  }
  return bytes;
}

function seconds(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) === 0) {
    throw new InvalidArgumentError('expected a whole number of seconds');
  }
  return Number(text);
}

const EXAMPLES = `
Inside: halyard and node are on the PATH, /project is this project as it is built, /guest/vmlinuz and /guest/initrd are a
Linux guest, and what is written to /out comes back.

Examples:
  npm run lab -- halyard doctor
  npm run lab -- 'halyard run --seconds 5 --record /out/run.mcap && ls -l /out'
  npm run lab -- --arch arm64 --host-memory 3GiB halyard doctor

Exit codes: the command's own; 2 bad usage; 3 the host could not be built, hung or died; 130 after Ctrl-C`;

export type Parsed =
  | { readonly kind: 'run'; readonly options: LabOptions }
  | { readonly kind: 'end'; readonly exitCode: number };

/** Reads the command line (without node and the script). Prints help and complaints itself. */
export function parseOptions(
  argv: readonly string[],
  write: (text: string) => void = (text) => process.stderr.write(text),
): Parsed {
  const lab = new Command('lab')
    .description('Runs a command in an emulated machine that has a working /dev/kvm.')
    .argument('<command...>', 'what to run there')
    .addOption(
      new Option('--arch <arch>', "the machine's architecture")
        .choices(GUEST_ARCHITECTURES)
        .default(nativeArchitecture()),
    )
    .addOption(
      new Option('--host-memory <size>', "the machine's memory")
        .argParser(memory)
        .default(2 * 2 ** 30, '2GiB'),
    )
    .option('--out <folder>', 'where files written to /out come', 'lab-out')
    .option('--timeout <seconds>', 'end a machine that takes longer', seconds, 300)
    .option('--install', 'install what is missing with apt-get (needs root)', false)
    .option('--refresh', "fetch Debian's newest packages instead of those in the cache", false)
    .option('--json', "print one JSON value; the command's output goes to standard error", false)
    .addHelpText('after', EXAMPLES)
    .passThroughOptions()
    .allowUnknownOption(false)
    .exitOverride()
    .configureOutput({
      writeOut: write,
      writeErr: write,
      outputError: (text, print) => print(`lab: ${text.replace(/^error: /, '')}`),
    });
  try {
    lab.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: 'end', exitCode: error.exitCode === 0 ? 0 : 2 };
  }
  const flags = lab.opts();
  return {
    kind: 'run',
    options: {
      arch: flags['arch'] as GuestArchitecture,
      hostMemoryBytes: flags['hostMemory'] as number,
      out: flags['out'] as string,
      timeoutSeconds: flags['timeout'] as number,
      install: flags['install'] as boolean,
      refresh: flags['refresh'] as boolean,
      json: flags['json'] as boolean,
      command: lab.args,
    },
  };
}

/** A word as the shell takes it, whatever is in it. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What /command in the host says, for the shell. */
export function commandScript(command: readonly string[]): string {
  const [line, ...rest] = command;
  if (line !== undefined && rest.length === 0) return `${line}\n`;
  return `${command.map(shellWord).join(' ')}\n`;
}
