// The tests that need hardware or a kernel's jails, in an emulated host of each architecture: for machines that lack them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explain } from '../../src/cli/failure.js';
import { packageRoot } from '../../src/package-info.js';
import { runInLab } from '../lab.js';
import { exitCodeOf, INTERRUPTED, reportLines } from '../report.js';
import { countsOf, testScript } from './host-script.js';
import { straceFiles } from './strace.js';
import { TARGET_MACHINES, TEST_TARGETS, type TestTarget } from './targets.js';
import { testFiles } from './test-files.js';

const USAGE = `usage: npm run test:hardware [-- [${TEST_TARGETS.join('] [')}] [FILE…]]
  FILE  tests to run instead of those that look at hardware or at jails, as AVA takes them: 'test/hal/native/*.test.ts'`;

const TIMEOUT_SECONDS = 1800;

const say = (text: string) => process.stderr.write(`lab: ${text}\n`);

/** Runs the tests on one architecture. @returns the exit code. @throws UnsupportedError */
async function runOn(
  target: TestTarget,
  given: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const machine = TARGET_MACHINES[target];
  const folder = mkdtempSync(join(tmpdir(), 'halyard-hardware-tests-'));
  let output = '';
  const hear = (bytes: Buffer) => {
    output += bytes;
    process.stdout.write(bytes);
  };
  try {
    const source = { architecture: machine.host, progress: say, refresh: false };
    // The host's own looks at programs of the host's architecture.
    const strace = machine.foreign === undefined ? await straceFiles(source, folder) : [];
    const request = {
      arch: machine.host,
      hostMemoryBytes: 3 * 2 ** 30,
      out: folder,
      timeoutSeconds: TIMEOUT_SECONDS,
      install: false,
      refresh: false,
      command: [testScript(machine, given.length > 0 ? given : machine.files)],
      more: [...(await testFiles(packageRoot(), machine, folder)), ...strace],
    };
    const result = await runInLab(request, { stdout: hear, stderr: hear }, say, signal);
    for (const line of reportLines(request, { ...result, files: [] })) say(line);
    const { passed, failed, skipped } = countsOf(output) ?? { passed: 0, failed: 0, skipped: 0 };
    process.stdout.write(`${target}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    const exitCode = exitCodeOf(result);
    return exitCode === 0 && passed === 0 ? 1 : exitCode;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  let words: readonly string[];
  try {
    words = parseArgs({ allowPositionals: true, options: {} }).positionals;
  } catch (error) {
    say(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const isTarget = (word: string): word is TestTarget => TEST_TARGETS.some((one) => one === word);
  const targets = words.filter(isTarget);
  const files = words.filter((word) => !isTarget(word));
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  let worst = 0;
  for (const target of targets.length > 0 ? targets : TEST_TARGETS) {
    try {
      worst = Math.max(worst, await runOn(target, files, controller.signal));
    } catch (error) {
      if (controller.signal.aborted) return INTERRUPTED;
      const { line, exitCode } = explain(error);
      say(`${target}: ${line}`);
      return exitCode;
    }
  }
  return worst;
}

process.exitCode = await main();
