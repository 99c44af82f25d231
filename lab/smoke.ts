import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestArchitecture } from '../src/guest-image/architecture.js';
import { runInLab } from './lab.js';
import { reportLines } from './report.js';
import { failedSteps, SMOKE_STEPS, smokeScript } from './smoke-steps.js';

/** From the start of QEMU to its end, on two cores. */
const LIMIT_SECONDS: Readonly<Record<GuestArchitecture, number>> = { x86_64: 60, arm64: 120 };

/** Boots a host, does what SMOKE_STEPS says, and says how long it took. Returns what went wrong. */
export async function smoke(
  arch: GuestArchitecture,
  out: string,
  say: (text: string) => void,
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
  // A goal, not a condition: another load on this machine is no fault of the project's.
  const missed = result.hostSeconds > limit ? ', missed' : '';
  say(`${arch}: ${steps.length} steps in ${seconds} s (goal: under ${limit} s${missed})`);
  return wrong;
}
