// Compares Halyard with Debian's QEMU in the lab: `npm run bench:lab [-- --rounds 5] [--json]`. docs/performance.md has a table.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { machine } from '../../bench/machine.js';
import { formatTable } from '../../bench/table.js';
import { EXIT, explain } from '../../src/cli/failure.js';
import { runInLab } from '../lab.js';
import { exitCodeOf, INTERRUPTED, reportLines } from '../report.js';
import { goalRows, labFigures, variantTable } from './figures.js';
import { parseBenchOptions } from './options.js';
import type { HostReport, Plan } from './samples.js';
import { VARIANTS } from './vmm.js';

/** A busy machine needs several times what an idle one does. */
const SECONDS_PER_RUN = 240;
const HOST_MEMORY_BYTES = 3 * 2 ** 30;

const say = (text: string) => process.stderr.write(`bench: ${text}\n`);

const HOW = `VMM CPU s: processor time of all the VMM's threads and of the kernel for them, without guest code (proc(5): user + system -
guest time, the latter by the kernel's tick); "vCPU thread" is the part of the thread that runs the guest. Exits: port and memory
accesses of the guest, by KVM's counters. Discard calls: madvise and fallocate calls that give memory back, counted by
tracepoints in a run that is in no other figure. Ratios: medians of the rounds' ratios.`;

async function measure(
  plan: Plan,
  out: string,
  signal: AbortSignal,
): Promise<HostReport | { readonly exitCode: number }> {
  const timeoutSeconds = (plan.rounds + 1) * plan.variants.length * SECONDS_PER_RUN;
  const request = {
    arch: 'x86_64',
    hostMemoryBytes: HOST_MEMORY_BYTES,
    out,
    timeoutSeconds,
    install: false,
    refresh: false,
    withPeer: true,
    command: ['node', 'dist/lab/bench/inside.js', JSON.stringify(plan)],
  } as const;
  const outputs = {
    stdout: (bytes: Buffer) => process.stderr.write(bytes),
    stderr: (bytes: Buffer) => process.stderr.write(bytes),
  };
  const result = await runInLab(request, outputs, say, signal);
  if (result.how === 'exited' && result.exitCode === 0) {
    return JSON.parse(readFileSync(join(out, 'bench.json'), 'utf8')) as HostReport;
  }
  for (const line of reportLines({ timeoutSeconds, out }, result)) say(line);
  return { exitCode: exitCodeOf(result) };
}

async function main(): Promise<number> {
  const options = parseBenchOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    say(options);
    return EXIT.badInput;
  }
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort());
  }
  const out = mkdtempSync(join(tmpdir(), 'halyard-bench-lab-'));
  const around = machine();
  try {
    const plan: Plan = { rounds: options.rounds, variants: VARIANTS, counts: true };
    const report = await measure(plan, out, controller.signal);
    if ('exitCode' in report) return report.exitCode;
    const figures = labFigures(report);
    const { samples, ...host } = report;
    const loadAfter = loadavg()[0] ?? Number.NaN;
    if (options.json) {
      const value = { machine: around, loadAfter, lab: host, ...figures, samples };
      process.stdout.write(`${JSON.stringify(value)}\n`);
      return 0;
    }
    const { cpu, cores, kernel, load } = around;
    const lines = [
      `${cpu}, ${cores} cores, ${kernel}; load ${load.toFixed(1)} before, ${loadAfter.toFixed(1)} after`,
      `the lab: ${host.processors} emulated processors, ${host.memoryMiB} MiB, Linux ${host.kernel}; QEMU ${host.qemuVersion}`,
      `the guest: ${host.guest.memoryMiB} MiB, "${host.guest.commandLine}"; it inflates ${host.guest.balloonMiB} MiB; ${options.rounds} rounds`,
      '',
      formatTable(goalRows(figures)),
      '',
      variantTable(figures),
      '',
      HOW,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    if (controller.signal.aborted) return INTERRUPTED;
    const { line, exitCode } = explain(error);
    say(line);
    return exitCode;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

process.exitCode = await main();
