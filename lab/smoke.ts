// The smoke test of the lab: boots a host of each architecture, does what SMOKE_STEPS says, and prints how long it took.
// Usage: npm run test:lab [-- x86_64|arm64…]
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain } from '../src/cli/failure.js';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../src/guest-image/architecture.js';
import { runInLab } from './lab.js';
import { reportLines } from './report.js';
import { failedSteps, SMOKE_STEPS, smokeScript } from './smoke-steps.js';

/** From the start of QEMU to its end, on two cores. */
const LIMIT_SECONDS: Readonly<Record<GuestArchitecture, number>> = { x86_64: 60, arm64: 120 };

const say = (text: string) => process.stderr.write(`lab: ${text}\n`);

/** Returns what went wrong. */
async function smoke(
  arch: GuestArchitecture,
  out: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const steps = SMOKE_STEPS.filter(({ architectures }) => architectures.includes(arch));
  const limit = LIMIT_SECONDS[arch];
  const timeoutSeconds = 2 * limit;
  const request = {
    arch,
    out,
    timeoutSeconds,
    hostMemoryBytes: 2 * 2 ** 30,
    install: false,
    refresh: false,
    command: [smokeScript(steps)],
  };
  const outputs = {
    stdout: (bytes: Buffer) => process.stdout.write(bytes),
    stderr: (bytes: Buffer) => process.stderr.write(bytes),
  };
  const result = await runInLab(request, outputs, say, signal);
  for (const line of reportLines({ timeoutSeconds, out }, result)) say(line);
  const results = join(out, 'steps');
  const wrong = [...failedSteps(steps, existsSync(results) ? readFileSync(results, 'utf8') : '')];
  if (result.how !== 'exited') wrong.push(`the host: ${result.how}`);
  for (const { name, check } of steps) {
    const finding = wrong.length === 0 ? check?.(out) : undefined;
    if (finding !== undefined) wrong.push(`${name}: ${finding}`);
  }
  const seconds = result.hostSeconds.toFixed(1);
  if (result.hostSeconds > limit) wrong.push(`${seconds} s is more than ${limit} s`);
  say(`${arch}: ${steps.length} steps in ${seconds} s (limit ${limit} s)`);
  return wrong;
}

async function main(): Promise<number> {
  const given = process.argv.slice(2);
  const unknown = given.filter((name) => !GUEST_ARCHITECTURES.some((arch) => arch === name));
  if (unknown.length > 0) {
    say(`no architecture: ${unknown.join(' ')}; there are ${GUEST_ARCHITECTURES.join(' and ')}`);
    return 2;
  }
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  const { signal } = controller;
  let wrong = 0;
  for (const arch of GUEST_ARCHITECTURES) {
    if (given.length > 0 && !given.includes(arch)) continue;
    if (signal.aborted) return 130;
    const out = mkdtempSync(join(tmpdir(), 'halyard-smoke-'));
    try {
      for (const what of await smoke(arch, out, signal)) {
        wrong += 1;
        say(`${arch}: failed: ${what}`);
      }
    } catch (error) {
      if (signal.aborted) return 130;
      const { line, exitCode } = explain(error);
      say(`${arch}: ${line}`);
      return exitCode;
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  }
  return wrong === 0 ? 0 : 1;
}

process.exitCode = await main();
