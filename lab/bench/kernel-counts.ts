import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const TRACING = '/sys/kernel/tracing';
const DEBUG = '/sys/kernel/debug';
const KVM = `${DEBUG}/kvm`;

/** The syscalls that give memory back, and which of them do (madvise(2): DONTNEED 4, REMOVE 9; fallocate(2): PUNCH_HOLE 2). */
const DISCARDS = {
  madvise: 'behavior==4||behavior==9',
  fallocate: 'mode&2',
} as const;

/** A file system of the kernel's, where it belongs, and a file of it that shows that it is there. */
const KERNEL_FOLDERS = [
  { type: 'tracefs', folder: TRACING, sign: `${TRACING}/tracing_on` },
  { type: 'debugfs', folder: DEBUG, sign: KVM },
] as const;

/** Those that are not mounted yet; each is looked for by itself. */
export function unmountedFolders(
  isThere: (path: string) => boolean = existsSync,
): readonly (typeof KERNEL_FOLDERS)[number][] {
  return KERNEL_FOLDERS.filter(({ sign }) => !isThere(sign));
}

/** Where the host's kernel tells of syscalls and of exits. */
export function mountKernelFolders(): void {
  for (const { type, folder } of unmountedFolders()) {
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
