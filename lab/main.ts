import { explain } from '../src/cli/failure.js';
import { type LabResult, runInLab } from './lab.js';
import { type LabOptions, parseOptions } from './options.js';

const HARDWARE = 3;
const INTERRUPTED = 130;

const say = (text: string) => process.stderr.write(`lab: ${text}\n`);

function exitCodeOf({ how, exitCode }: LabResult): number {
  if (how === 'interrupted') return INTERRUPTED;
  return how === 'exited' && exitCode !== undefined ? exitCode : HARDWARE;
}

function report(options: LabOptions, result: LabResult): void {
  const { how, tail, upSeconds, commandSeconds, wholeSeconds, files } = result;
  if (how === 'timeout' || how === 'died') {
    const what =
      how === 'timeout'
        ? `the host did not end within ${options.timeoutSeconds} s (--timeout)`
        : 'the host ended before the command did';
    say(`${what}; the end of its console:`);
    process.stderr.write(`${tail}\n`);
  }
  const seconds = (value: number | undefined) => value?.toFixed(1) ?? '-';
  if (files.length > 0) say(`${options.out}: ${files.join(' ')}`);
  say(
    `host up after ${seconds(upSeconds)} s, command ${seconds(commandSeconds)} s, ` +
      `whole ${seconds(wholeSeconds)} s, exit code ${exitCodeOf(result)}`,
  );
}

async function main(): Promise<number> {
  const parsed = parseOptions(process.argv.slice(2));
  if (parsed.kind === 'end') return parsed.exitCode;
  const { options } = parsed;
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => controller.abort());
  }
  try {
    const result = await runInLab(
      options,
      {
        stdout: (bytes) => process.stdout.write(bytes),
        stderr: (bytes) => process.stderr.write(bytes),
      },
      say,
      controller.signal,
    );
    report(options, result);
    if (options.json) {
      const { how, upSeconds, commandSeconds, wholeSeconds, files } = result;
      const exitCode = exitCodeOf(result);
      const { arch } = options;
      process.stderr.write(
        `${JSON.stringify({ arch, how, exitCode, upSeconds, commandSeconds, wholeSeconds, files })}\n`,
      );
    }
    return exitCodeOf(result);
  } catch (error) {
    const { line, exitCode } = explain(error);
    say(line);
    return exitCode;
  }
}

process.exitCode = await main();
