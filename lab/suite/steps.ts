import type { GuestArchitecture } from '../../src/guest-image/architecture.js';
import type { MiB } from '../../src/hal/contract/units.js';
import type { BalloonVmConfig } from '../../src/programs/balloon-config.js';
import type { ScenarioStep } from '../../src/programs/scenario.js';

type Steps = readonly ScenarioStep[];

/** A kernel that zeroes no page before it gives it away, so that the host's memory moves only by what a case does. */
export const COMMAND_LINE: Readonly<Record<GuestArchitecture, string>> = {
  x86_64: 'console=ttyS0 reboot=k panic=-1 quiet init_on_alloc=0 nokaslr',
  arm64: 'console=ttyS0 panic=-1 quiet init_on_alloc=0 nokaslr',
};

/** What Linux logs when something is badly wrong (kernel/rcu, kernel/panic.c, kernel/hung_task.c, mm). */
export const TROUBLE = 'rcu.*stall|WARNING:|BUG:|Oops|blocked for more than';

/** The note with the number of such lines. */
export const TROUBLE_NOTE = 'trouble';

/** The note with the first of them that came before the guest was up; empty if there are none. */
export const BOOT_TROUBLE_NOTE = 'boot trouble';

/** Long enough for a step on a machine that has much other work: emulated code is then ten times as slow as at best. */
const STEP_TIMEOUT_SECONDS = 240;

/** Types a command and waits until it has ended well. */
export function run(command: string): Steps {
  return [{ type: command }, { waitLine: '^guest: exit 0$' }];
}

/** Types a command and notes its exit code. */
export function exitCode(command: string, as: string): Steps {
  return [{ type: command }, { waitLine: '^guest: exit (\\d+)$', as }];
}

/** Notes what a command prints as its only line. */
export function value(command: string, as: string): Steps {
  return [
    { type: `echo "value: $(${command})"` },
    { waitLine: '^value: (.*)$', as },
    { waitLine: '^guest: exit 0$' },
  ];
}

/** Notes the guest's MemFree in kB. */
export function memFree(as: string): Steps {
  return value("awk '/^MemFree:/{print $2}' /proc/meminfo", as);
}

/** Sets the balloon and waits until the guest has followed. */
export function balloon(target: MiB): Steps {
  return [{ balloonMiB: target }, { waitActualMiB: target }];
}

/** Uses so much memory and gives it back, so that the host has it resident. */
export function touch(amount: MiB): Steps {
  return run(
    `dd if=/dev/zero of=/tmp/touched bs=1M count=${amount} 2>/dev/null && rm /tmp/touched`,
  );
}

/** Waits for the guest, notes the trouble that it logged while it booted, and begins its log anew. */
export const GUEST_UP: Steps = [
  { waitLine: '^guest: up' },
  ...value(`dmesg -c | grep -E '${TROUBLE}' | head -n 3 | tr '\\n' ' '`, BOOT_TROUBLE_NOTE),
];

/** Notes how many lines of trouble the guest has logged since it was up, after it has shown them. */
export const COUNT_TROUBLE: Steps = [
  ...value(`dmesg | grep -E '${TROUBLE}' | head -n 3 | tr '\\n' ' '`, 'what trouble'),
  ...value(`dmesg | grep -cE '${TROUBLE}'`, TROUBLE_NOTE),
];

export const POWER_OFF: Steps = [{ type: 'poweroff -f' }];

/** A run of a Linux guest. */
export function linuxRun(
  arch: GuestArchitecture,
  ramMiB: MiB,
  steps: Steps,
  more: Partial<Omit<BalloonVmConfig, 'balloon'>> & {
    readonly balloon?: Partial<BalloonVmConfig['balloon']>;
  } = {},
): object {
  return {
    guestArchitecture: arch === 'arm64' ? 'aarch64' : 'x86_64',
    ramMiB,
    // As `halyard run` has it.
    registerReads: arch === 'x86_64' ? 'memory' : 'exit',
    driverWrites: 'posted',
    margin: 1,
    policy: 'off',
    linux: { commandLine: COMMAND_LINE[arch], hasInitrd: true },
    scenario: { steps: [...GUEST_UP, ...steps], stepTimeoutSeconds: STEP_TIMEOUT_SECONDS },
    ...more,
  };
}
