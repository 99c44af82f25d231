import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const TRACING = '/sys/kernel/tracing';
const KVM = '/sys/kernel/debug/kvm';

/** The syscalls that give memory back, and which of them do (madvise(2): DONTNEED 4, REMOVE 9; fallocate(2): PUNCH_HOLE 2). */
const DISCARDS = {
  madvise: 'behavior==4||behavior==9',
  fallocate: 'mode&2',
} as const;

/** Where the host's kernel tells of syscalls and of exits. */
export function mountKernelFolders(): void {
  for (const [type, folder] of [
    ['tracefs', TRACING],
    ['debugfs', '/sys/kernel/debug'],
  ] as const) {
    if (existsSync(`${folder}/tracing_on`) || existsSync(KVM)) continue;
    spawnSync('mount', ['-t', type, type, folder], { stdio: 'inherit' });
  }
}

const trigger = (condition: string) => `hist:keys=common_pid if ${condition}`;
const folderOf = (syscall: string) => `${TRACING}/events/syscalls/sys_enter_${syscall}`;

/** Starts to count the calls that give memory back; this makes every syscall slower. */
export function countDiscards(): void {
  for (const [syscall, condition] of Object.entries(DISCARDS)) {
    writeFileSync(`${folderOf(syscall)}/trigger`, trigger(condition));
  }
}

/** Ends it, and says how many calls these threads made. */
export function discardsOf(threads: readonly number[]): number {
  let calls = 0;
  for (const [syscall, condition] of Object.entries(DISCARDS)) {
    calls += hitsOf(readFileSync(`${folderOf(syscall)}/hist`, 'utf8'), threads);
    writeFileSync(`${folderOf(syscall)}/trigger`, `!${trigger(condition)}`);
  }
  return calls;
}

/** Adds up the lines "{ common_pid: 123 } hitcount: 4" of a histogram (Documentation/trace/histogram.rst). */
export function hitsOf(histogram: string, threads: readonly number[]): number {
  let hits = 0;
  for (const [, thread, count] of histogram.matchAll(
    /\{ common_pid:\s*(\d+)\s*\} hitcount:\s*(\d+)/g,
  )) {
    if (threads.includes(Number(thread))) hits += Number(count);
  }
  return hits;
}

/** Exits of all guests to the host for port and memory accesses since their start, those that end in the kernel included. */
export function deviceExits(): number {
  let exits = 0;
  for (const entry of readdirSync(KVM, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const name of ['io_exits', 'mmio_exits']) {
      exits += Number(readFileSync(`${KVM}/${entry.name}/${name}`, 'utf8'));
    }
  }
  return exits;
}
