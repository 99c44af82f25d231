import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import { type BalloonVmConfig, parseBalloonConfig } from '../../src/programs/balloon-config.js';

/** What the two VMs do at once, and what their host is given. */
export interface TwoVms {
  readonly arch: GuestArchitecture;
  /** Multiplies the policy's timers; 1 is the original's. */
  readonly timeScale: number;
  readonly policy: 'step' | 'off';
}

export const VM_NAMES = ['first', 'second'] as const;
export type VmName = (typeof VM_NAMES)[number];

export const HOST_MEMORY_MIB = 2048;
export const VM_MEMORY_MIB = 1024;
/** Both balloons full leave the host more than this, and an idle host has four times as much. */
export const MARGIN_MIB = 400;
/** Larger than the host's memory. */
export const FILE_MIB = 2080;
/** The guest's own console and what makes a run comparable: pages are given up as they are, not zeroed first. */
const COMMAND_LINE: Readonly<Record<GuestArchitecture, string>> = {
  x86_64: 'console=ttyS0 reboot=k panic=-1 quiet init_on_alloc=0',
  arm64: 'console=ttyS0 panic=-1 quiet init_on_alloc=0',
};

/** Keeps the disk open, so that what is written stays in the guest's page cache: the last close of a disk empties it. */
const HOLD_OPEN = 'sleep 99999 9>/dev/vda &';
const WRITE = `dd if=/dev/zero of=/dev/vda bs=1M count=${FILE_MIB} conv=notrunc 2>/dev/null; echo "dd $?"`;
/** As when a file is deleted: its pages are free at once. */
const DELETE = 'killall sleep; echo 3 >/proc/sys/vm/drop_caches';

/**
 * The manual test of crosvm's change 448516e3f9: each VM writes a file larger than the host's memory, then the file goes
 * away and free page reporting gives its memory back to the host.
 */
export function vmConfig({ arch, timeScale, policy }: TwoVms): BalloonVmConfig {
  const isPolicy = policy === 'step';
  const steps = [
    { waitLine: '^guest: up (.*)', as: 'up' },
    { measure: 'start' },
    { type: HOLD_OPEN },
    { waitLine: '^guest: exit' },
    { type: WRITE },
    { waitLine: '^dd 0' },
    { measure: 'written' },
    { type: DELETE },
    { waitLine: '^guest: exit' },
    // Without a policy the balloon never held anything.
    { waitActualMiB: 0 },
    { measure: 'end' },
    { type: 'poweroff -f' },
    { seconds: 60 },
  ];
  return parseBalloonConfig({
    guestArchitecture: arch === 'arm64' ? 'aarch64' : 'x86_64',
    ramMiB: VM_MEMORY_MIB,
    margin: MARGIN_MIB,
    timeScale,
    policy,
    device: 'process',
    balloon: { freePageReporting: true },
    disks: [{ kind: 'null', sizeMiB: FILE_MIB }],
    expects: isPolicy ? 'recovery' : null,
    linux: { commandLine: COMMAND_LINE[arch], hasInitrd: true },
    scenario: { steps, stepTimeoutSeconds: 1200 },
  });
}

/** Runs both at once, each with its trace, console and log under /out, and says what the host's kernel killed. */
export function hostScript(config: BalloonVmConfig): string {
  const run = (name: VmName): string =>
    `halyard record /out/${name}.mcap --config /tmp/vm.json --kernel /guest/vmlinuz --initrd /guest/initrd ` +
    `--console /out/${name}.console </dev/null >/out/${name}.log 2>&1`;
  return [
    `cat >/tmp/vm.json <<'JSON'\n${JSON.stringify(config)}\nJSON`,
    ...VM_NAMES.map((name) => `(${run(name)}; echo $? >/tmp/${name}.code) &`),
    // A host that says something now and then is one that lives.
    '(while sleep 10; do awk \'/MemAvailable/ { print "host: " int($2 / 1024) " MiB available" }\' /proc/meminfo; done) & w=$!',
    `while [ ! -e /tmp/first.code ] || [ ! -e /tmp/second.code ]; do sleep 1; done`,
    'kill $w',
    "dmesg | grep -iE 'out of memory|killed process' >/out/killed",
    ...VM_NAMES.map((name) => `echo "exit ${name} $(cat /tmp/${name}.code)"`),
  ].join('\n');
}
