import { EXIT } from '../src/cli/failure.js';
import type { LabResult } from './lab.js';
import type { LabOptions } from './options.js';

/** The exit code after Ctrl-C, as a shell has it. */
export const INTERRUPTED = 130;

/** The command's own exit code, if it came to that. */
export function exitCodeOf({ how, exitCode }: Pick<LabResult, 'how' | 'exitCode'>): number {
  if (how === 'interrupted') return INTERRUPTED;
  return exitCode ?? EXIT.noHardware;
}

/** What the lab says when the host has ended: what went wrong with it, what came back, and how long it took. */
export function reportLines(
  { timeoutSeconds, out }: Pick<LabOptions, 'timeoutSeconds' | 'out'>,
  result: LabResult,
): readonly string[] {
  const { how, tail, upSeconds, commandSeconds, wholeSeconds, files } = result;
  const lines: string[] = [];
  if (how === 'timeout' || how === 'died') {
    const what =
      how === 'timeout'
        ? `the host did not end within ${timeoutSeconds} s (--timeout)`
        : 'the host ended before the command did';
    lines.push(`${what}; its console ended with:`, ...tail.split('\n').map((line) => `| ${line}`));
  }
  if (files.length > 0) lines.push(`in ${out}: ${files.join(', ')}`);
  const seconds = (value: number | undefined) =>
    value === undefined ? 'never' : `${value.toFixed(1)} s`;
  lines.push(
    `host up: ${seconds(upSeconds)}, command: ${seconds(commandSeconds)}, ` +
      `whole: ${seconds(wholeSeconds)}, exit code ${exitCodeOf(result)}`,
  );
  return lines;
}
