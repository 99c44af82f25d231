// The part of the benchmark that runs in the emulated host: `node dist/lab/bench/inside.js PLAN`. Writes /out/bench.json.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BYTES_PER_MIB } from '../../src/hal/contract/units.js';
import { between, cpuOfTree, sharedBytes, threadsOfTree } from './cpu-time.js';
import { countDiscards, deviceExits, discardsOf, mountKernelFolders } from './kernel-counts.js';
import type { HostReport, Phase, Plan, RunSample } from './samples.js';
import { type GuestSetup, startVmm, TRACE, type Variant, type Vmm } from './vmm.js';

const GUEST: GuestSetup = {
  kernel: '/guest/vmlinuz',
  initrd: '/guest/initrd',
  memoryMiB: 1024,
  balloonMiB: 768,
  // Clearing each page on its allocation, Debian's default, would take most of the time, and none of the VMM's.
  commandLine: 'console=ttyS0 quiet init_on_alloc=0 reboot=k panic=-1',
};

/** All but what the guest's kernel needs. */
const TOUCH = 'dd if=/dev/zero of=/tmp/x bs=1M count=850 2>/dev/null; rm /tmp/x';

/** What the guest's last writes make the host do shall not be in the next figure. */
const SETTLE_MS = 1000;

const say = (text: string) => process.stderr.write(`bench: ${text}\n`);

/** Starts a phase; the returned function ends it. */
function phase(pid: number, fromMs = performance.now()): () => Phase {
  const cpu = cpuOfTree(pid);
  const exits = deviceExits();
  return () => ({
    seconds: (performance.now() - fromMs) / 1000,
    cpu: between(cpu, cpuOfTree(pid)),
    deviceExits: deviceExits() - exits,
  });
}

interface Run {
  readonly sample: RunSample;
  readonly discardCalls: number | undefined;
}

async function runOnce(variant: Variant, counts: boolean): Promise<Run> {
  rmSync(TRACE, { force: true });
  const vmm = startVmm(variant, GUEST);
  try {
    return await measured(vmm, variant, counts);
  } finally {
    vmm.kill();
  }
}

async function measured(vmm: Vmm, variant: Variant, counts: boolean): Promise<Run> {
  const { pid, console } = vmm;
  const booted = phase(pid, vmm.startedAtMs);
  const up = await console.find(/^guest: up (\S+)/);
  const boot = booted();
  vmm.type(TOUCH);
  await console.find(/^guest: exit 0/);
  await sleep(SETTLE_MS);
  const residentBytesBefore = sharedBytes(pid);
  if (counts) countDiscards();
  let inflated: () => Phase = phase(pid);
  await vmm.inflate(() => {
    inflated = phase(pid);
  });
  const inflate = inflated();
  const discardCalls = counts ? discardsOf(threadsOfTree(pid)) : undefined;
  const residentBytesAfter = sharedBytes(pid);
  await vmm.end();
  const traceBytes = existsSync(TRACE) ? statSync(TRACE).size : undefined;
  const guestUpSeconds = Number(up.match[1]);
  const resident = { residentBytesBefore, residentBytesAfter };
  checkGivenBack(variant, resident);
  const sample = { variant, boot, guestUpSeconds, inflate, ...resident, traceBytes };
  say(
    `${variant}${counts ? ' (counting)' : ''}: boot ${boot.seconds.toFixed(2)} s, inflation ` +
      `${inflate.seconds.toFixed(2)} s, ${inflate.cpu.all.own.toFixed(2)} CPU s (vCPU ` +
      `${inflate.cpu.vcpus.own.toFixed(2)}, guest ${inflate.cpu.all.guest.toFixed(2)})`,
  );
  return { sample, discardCalls };
}

/** A balloon that gives nothing back is fast, and no balloon. */
function checkGivenBack(
  variant: Variant,
  {
    residentBytesBefore,
    residentBytesAfter,
  }: Record<'residentBytesBefore' | 'residentBytesAfter', number>,
): void {
  const givenBackMiB = (residentBytesBefore - residentBytesAfter) / BYTES_PER_MIB;
  if (givenBackMiB >= 0.9 * GUEST.balloonMiB) return;
  throw new Error(
    `${variant} gave back only ${givenBackMiB.toFixed(0)} MiB of ${GUEST.balloonMiB}`,
  );
}

async function main({ rounds, variants, counts }: Plan): Promise<void> {
  mountKernelFolders();
  const discardCalls: Partial<Record<Variant, number>> = {};
  // This also brings all programs into the page cache.
  for (const variant of counts ? variants : []) {
    const { discardCalls: calls } = await runOnce(variant, true);
    if (calls !== undefined) discardCalls[variant] = calls;
  }
  const samples: RunSample[] = [];
  for (let round = 0; round < rounds; round++) {
    // What the host's clock or its memory drift by shall hit all of them.
    const order = round % 2 === 0 ? variants : [...variants].reverse();
    for (const variant of order) samples.push((await runOnce(variant, false)).sample);
  }
  const version = spawnSync('/peer/qemu', ['--version'], { encoding: 'utf8' }).stdout;
  const report: HostReport = {
    qemuVersion: /version (.+)/.exec(version)?.[1] ?? 'unknown',
    kernel: release(),
    processors: availableParallelism(),
    memoryMiB: Math.round(totalmem() / BYTES_PER_MIB),
    guest: GUEST,
    samples,
    discardCalls,
  };
  writeFileSync('/out/bench.json', JSON.stringify(report));
}

await main(JSON.parse(process.argv[2] ?? '') as Plan);
