import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HalError } from '../../hal/contract/errors.js';
import type { Architecture } from '../../seccomp/architecture.js';
import type { ObservedRun } from '../../seccomp/learn/observation.js';
import { LearnInputError } from '../../seccomp/learn/observation.js';
import { parseStraceLog } from '../../seccomp/learn/strace-log.js';

export interface LiveRun {
  readonly run: ObservedRun;
  /** The program's exit code; 128 and the signal's number if one ended it. */
  readonly exitCode: number;
}

/**
 * Runs a program under strace, with all processes that it starts, and keeps what syscalls they make. A filter that logs
 * would be cheaper, but the kernel's log has no arguments and only root reads it.
 *
 * @throws HalError `UNSUPPORTED` without strace, or where a program may not be traced
 */
export async function runAndObserve(
  command: readonly string[],
  architecture: Architecture,
): Promise<LiveRun> {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-learn-'));
  const log = join(folder, 'strace');
  // No texts (-s 0): what a program reads and writes is nobody's business here. The policy has standard output for itself.
  const args = ['-f', '-qq', '-s', '0', '-e', 'signal=none', '-o', log, '--', ...command];
  const nothing = () => {};
  process.on('SIGINT', nothing);
  try {
    const exitCode = await finished(args);
    return { run: parseStraceLog(readLog(log), architecture), exitCode };
  } catch (error) {
    if (!(error instanceof LearnInputError)) throw error;
    throw new HalError(
      'UNSUPPORTED',
      `strace saw no syscall of ${command[0]}: it could not be started, or this system forbids ptrace`,
    );
  } finally {
    process.off('SIGINT', nothing);
    rmSync(folder, { recursive: true, force: true });
  }
}

function finished(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('strace', args, { stdio: ['inherit', process.stderr, 'inherit'] });
    child.on('error', () => {
      reject(
        new HalError(
          'UNSUPPORTED',
          'a live run needs strace, which is not here: install it, or learn from a log of it made elsewhere (--strace)',
        ),
      );
    });
    child.on('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
