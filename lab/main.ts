import { explain } from '../src/cli/failure.js';
import { outliveReaders } from '../src/cli/output.js';
import { type LabResult, runInLab } from './lab.js';
import { type LabOptions, parseOptions } from './options.js';
import { exitCodeOf, INTERRUPTED, reportLines } from './report.js';

const say = (text: string) => process.stderr.write(`lab: ${text}\n`);

/** Progress is for people who wait. */
const progress = (what: string) => {
  if (process.stderr.isTTY) say(what);
};

/** With --json, standard output has the one JSON value and nothing else. */
function run(options: LabOptions, signal: AbortSignal): Promise<LabResult> {
  const output = options.json ? process.stderr : process.stdout;
  const outputs = {
    stdout: (bytes: Buffer) => output.write(bytes),
    stderr: (bytes: Buffer) => process.stderr.write(bytes),
  };
  return runInLab(options, outputs, progress, signal);
}

async function main(): Promise<number> {
  const parsed = parseOptions(process.argv.slice(2));
  if (parsed.kind === 'end') return parsed.exitCode;
  const { options } = parsed;
  const print = (value: object) => {
    if (options.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  };
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => controller.abort());
  }
  try {
    const result = await run(options, controller.signal);
    for (const line of reportLines(options, result)) say(line);
    const { how, upSeconds, commandSeconds, hostSeconds, wholeSeconds, files } = result;
    const exitCode = exitCodeOf(result);
    const seconds = { upSeconds, commandSeconds, hostSeconds, wholeSeconds };
    print({ arch: options.arch, how, exitCode, ...seconds, files });
    return exitCode;
  } catch (error) {
    if (controller.signal.aborted) return INTERRUPTED;
    const { line, exitCode, code } = explain(error);
    say(line);
    print({ arch: options.arch, exitCode, error: { code, message: line } });
    return exitCode;
  }
}

outliveReaders();
process.exitCode = await main();
