import { accessSync, constants, existsSync } from 'node:fs';
import { release } from 'node:os';
import { packageVersion } from '../package-info.js';
import { EXIT } from './failure.js';
import { microGuestPath } from './hardware.js';
import type { Output } from './output.js';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about it; empty if all is well. */
  readonly remedy: string;
}

/** What this machine can do. Finding something missing is a result, not a failure. */
export async function doctorCommand(output: Output): Promise<number> {
  const findings = [node(), await addon(), guest(), kvm(), pressure(), await jail()];
  for (const { what, ok, detail, remedy } of findings) {
    output.line(`${ok ? 'ok     ' : 'missing'}  ${what.padEnd(16)} ${detail}`);
    if (!ok) output.line(`         ${''.padEnd(16)} → ${remedy}`);
  }
  const canRun = findings.every((finding) => finding.ok);
  output.line(
    canRun
      ? 'This machine can run, record and replay.'
      : 'This machine can replay and inspect recordings.',
  );
  output.result({ version: packageVersion(), canReplay: true, canRun, findings });
  return EXIT.ok;
}

function node(): Finding {
  return {
    what: 'Node.js',
    ok: true,
    detail: `${process.version} on ${process.platform} ${process.arch}, kernel ${release()}`,
    remedy: '',
  };
}

async function addon(): Promise<Finding> {
  const what = 'native addon';
  try {
    const { loadAddon } = await import('../hal/native/index.js');
    loadAddon();
    return { what, ok: true, detail: 'loads', remedy: '' };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { what, ok: false, detail, remedy: 'npm run build:native' };
  }
}

function guest(): Finding {
  const ok = existsSync(microGuestPath());
  return {
    what: 'micro guest',
    ok,
    detail: ok ? 'built' : 'not built',
    remedy: 'npm run build:native, on x86_64 Linux with gcc and binutils',
  };
}

function kvm(): Finding {
  const what = '/dev/kvm';
  if (!existsSync(what)) {
    const remedy = 'use a machine with hardware virtualization, or switch nested virtualization on';
    return { what, ok: false, detail: 'not there', remedy };
  }
  try {
    accessSync(what, constants.R_OK | constants.W_OK);
    return { what, ok: true, detail: 'readable and writable', remedy: '' };
  } catch {
    const remedy = 'add this user to the group kvm, then log in again';
    return { what, ok: false, detail: 'not accessible for this user', remedy };
  }
}

/** What the device's process is jailed with. */
async function jail(): Promise<Finding> {
  const what = 'seccomp';
  try {
    const native = await import('../hal/native/index.js');
    const { filter, tsync, userNotify } = native.probeSeccomp();
    const ok = filter && tsync;
    const remedy =
      'use Linux 5.7 or later with CONFIG_SECCOMP_FILTER; until then run with --no-jail';
    if (!ok) return { what, ok, detail: 'no filters for a whole process', remedy };
    if (userNotify)
      return { what, ok, detail: 'jails the device, and tells what it refused', remedy: '' };
    const detail = 'jails the device, but cannot tell what it refused (Linux 5.7)';
    return { what, ok: false, detail, remedy: 'run with --jail kill-process' };
  } catch {
    return { what, ok: false, detail: 'unknown without the addon', remedy: 'npm run build:native' };
  }
}

function pressure(): Finding {
  const what = 'memory pressure';
  if (existsSync('/dev/chromeos-low-mem')) {
    return { what, ok: true, detail: 'the ChromeOS low-memory notifier', remedy: '' };
  }
  const ok = existsSync('/proc/meminfo');
  return {
    what,
    ok,
    detail: ok ? '/proc/meminfo, polled' : 'no source',
    remedy: 'use Linux with /proc mounted',
  };
}
