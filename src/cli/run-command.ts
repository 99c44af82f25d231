import { createWriteStream, fstatSync, openSync, statSync, type WriteStream } from 'node:fs';
import { GuestImageError } from '../machine/linux-guest.js';
import { describeVmEnd, isOrderly } from '../machine/vm-end.js';
import type { Finding } from '../program.js';
import type { BalloonVmConfig } from '../programs/balloon-config.js';
import {
  type BalloonVmObserver,
  balloonCheck,
  INITRD_IMAGE,
  KERNEL_IMAGE,
} from '../programs/balloon-vm.js';
import { LOG_ONLY, loadDeviceJail, NO_JAIL } from './device-jail.js';
import { EXIT, explain, UsageError } from './failure.js';
import { allHold, showFindings } from './findings.js';
import type { GuestImages } from './hardware.js';
import { type ArrangeHardware, type LiveEnd, runLive } from './live.js';
import { mebibytes, type Output } from './output.js';
import { type RawTerminal, rawTerminal } from './raw-terminal.js';
import { type RunSummary, RunView } from './run-view.js';

export interface RunFlags {
  readonly config: BalloonVmConfig;
  readonly record: string | undefined;
  readonly onTraceError: 'stop' | 'go-on';
  /** A file for the guest's console. */
  readonly console: string | undefined;
  /** What a Linux guest boots from. */
  readonly images: GuestImages;
  readonly arrange?: ArrangeHardware | undefined;
  /** A policy of the user's for the device's jail. */
  readonly jailPolicy?: string | undefined;
}

export interface RunResult extends RunSummary {
  readonly turns: number;
  readonly trace: string | undefined;
  readonly traceBytes: number | undefined;
  /** Why the trace is not whole. */
  readonly traceError: string | undefined;
  /** What the configuration says that the run must show. */
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

const DEFAULT_SIZE = { columns: 80, rows: 24 } as const;

/** Runs the VM with a live view; on a terminal a chart, in a pipe lines. */
export async function runAndShow(flags: RunFlags, output: Output): Promise<RunResult> {
  if (flags.record !== undefined) refuseOwnOutput(flags.record);
  refuseMissingImages(flags.images);
  const showsConsole = flags.config.linux !== null && flags.console === undefined && !output.json;
  const { config } = flags;
  const jail = config.jail === 'off' ? undefined : loadDeviceJail(config.jail, flags.jailPolicy);
  const view = viewOf(flags, output, showsConsole);
  if (jail !== undefined) view.explainRefusal = jail.explain;
  const check = balloonCheck(flags.config);
  const file = flags.console === undefined ? undefined : consoleFile(flags.console, output);
  const terminal = showsConsole && process.stdin.isTTY ? openTerminal(output) : undefined;
  const end = await runLive({
    config: flags.config,
    record: flags.record,
    onTraceError: flags.onTraceError,
    observer: check === undefined ? view : bothObservers(view, check),
    console: file ?? (showsConsole ? process.stdout : undefined),
    input: terminal?.input ?? (showsConsole ? process.stdin : undefined),
    images: flags.images,
    filterPrograms: jail?.programs,
    arrange: flags.arrange,
    warn: (text) => output.warn(text),
  }).finally(() => terminal?.restore());
  file?.end();
  if (end.failure !== undefined) throw withPaths(end.failure, flags.images);
  const summary = view.summary();
  const findings = check?.findings() ?? [];
  return {
    ...summary,
    turns: end.turns,
    trace: flags.record,
    traceBytes: end.traceBytes,
    traceError: end.traceError?.message,
    findings,
    exitCode: allHold(findings) ? exitCodeOf(summary, end) : EXIT.failed,
  };
}

/** @throws UsageError for an image that is not there: before anything is recorded. */
function refuseMissingImages({ kernel, initrd }: GuestImages): void {
  for (const [flag, path] of Object.entries({ '--kernel': kernel, '--initrd': initrd })) {
    if (path === undefined) continue;
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw new UsageError(`${flag} ${path}: there is no such file`);
    if (!found.isFile()) throw new UsageError(`${flag} ${path} is no plain file`);
  }
}

/** A trace has images by name; whoever gave them knows them by their paths. */
function withPaths(failure: unknown, { kernel, initrd }: GuestImages): unknown {
  if (!(failure instanceof GuestImageError)) return failure;
  const named = failure.message
    .replaceAll(KERNEL_IMAGE, kernel ?? KERNEL_IMAGE)
    .replaceAll(INITRD_IMAGE, initrd ?? INITRD_IMAGE);
  return new GuestImageError(failure.code, named);
}

/** Keys are the guest's from now on, but for one. */
function openTerminal(output: Output): RawTerminal {
  output.warn("the terminal is the guest's console; Ctrl-] ends the run");
  const terminal = rawTerminal(process.stdin, () => process.kill(process.pid, 'SIGINT'));
  process.on('exit', () => terminal.restore());
  return terminal;
}

/** A Linux guest's console is a terminal of its own: what else there is to say goes beside it, in lines. */
function viewOf({ config }: RunFlags, output: Output, showsConsole: boolean): RunView {
  const stream = showsConsole ? process.stderr : process.stdout;
  const isChart = process.stdout.isTTY && !showsConsole;
  return new RunView(
    output.json ? 'silent' : isChart ? 'chart' : 'lines',
    (text) => void stream.write(text),
    () => ({
      columns: process.stdout.columns ?? DEFAULT_SIZE.columns,
      rows: process.stdout.rows ?? DEFAULT_SIZE.rows,
    }),
    config.linux === null,
  );
}

/** What the run says would be in the middle of the trace. @throws UsageError */
function refuseOwnOutput(path: string): void {
  const target = statSync(path, { throwIfNoEntry: false });
  if (target === undefined || target.isCharacterDevice()) return;
  for (const fd of [1, 2]) {
    const { dev, ino } = fstatSync(fd);
    if (dev !== target.dev || ino !== target.ino) continue;
    throw new UsageError(
      `${path} is where this command writes its own lines; record into a file, or into a pipe made with mkfifo`,
    );
  }
}

/** A console that cannot be written any more does not end the VM. */
function consoleFile(path: string, output: Output): WriteStream {
  let fd: number;
  try {
    fd = openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`--console ${path} cannot be written: ${(error as Error).message}`);
  }
  const stream = createWriteStream(path, { fd });
  stream.on('error', (error) => output.warn(`--console ${path}: ${error.message}`));
  return stream;
}

function exitCodeOf(summary: RunSummary, end: LiveEnd): number {
  if (end.traceError !== undefined) return explain(end.traceError).exitCode;
  return summary.end === undefined || isOrderly(summary.end) ? EXIT.ok : EXIT.failed;
}

/** Two that look on at the same run. */
function bothObservers(one: BalloonVmObserver, other: BalloonVmObserver): BalloonVmObserver {
  const names = [
    'sample',
    'decision',
    'notice',
    'guestLine',
    'actualChanged',
    'ended',
    'noted',
    'refused',
  ] as const;
  const tell = (name: (typeof names)[number]) => (value: never) => {
    one[name]?.(value);
    other[name]?.(value);
  };
  return Object.fromEntries(names.map((name) => [name, tell(name)])) as BalloonVmObserver;
}

export async function runCommand(flags: RunFlags, output: Output): Promise<number> {
  if (flags.config.jail === 'off') output.warn(NO_JAIL);
  if (flags.config.jail === 'log') output.warn(LOG_ONLY);
  const result = await runAndShow(flags, output);
  say(result, output);
  output.result(result);
  return result.exitCode;
}

export function say(result: RunResult, output: Output): void {
  const { end, lowestAvailableMiB, marginMiB, lastAvailableMiB, highestBalloonMiB } = result;
  const how = end === undefined ? 'the run was stopped' : describeVmEnd(end);
  output.line(`${how}; ${result.turns} turns, the policy changed its target ${result.steps} times`);
  if (lowestAvailableMiB !== undefined) {
    output.line(
      `available memory fell to ${lowestAvailableMiB} MiB (margin ${marginMiB} MiB), the balloon rose to ` +
        `${highestBalloonMiB.toFixed(0)} MiB, available is ${lastAvailableMiB} MiB now`,
    );
  }
  showFindings(result.findings, output);
  if (result.trace !== undefined && result.traceBytes !== undefined) {
    const broken = result.traceError === undefined ? '' : ', broken off';
    output.line(`trace: ${result.trace} (${mebibytes(result.traceBytes)}${broken})`);
  }
}
