import type { Policy } from '../policy.js';

/**
 * How often syscalls are made where nobody counted: orders of magnitude for a process that serves events. What moves data
 * and waits comes first, then what is done for each piece of work, then memory; all else belongs to start and end.
 */
const USUAL: readonly (readonly [number, string])[] = [
  [40, 'read write readv writev recvmsg sendmsg recvfrom recv ioctl futex futex_time64'],
  [40, 'epoll_wait epoll_pwait poll ppoll ppoll_time64'],
  [16, 'close epoll_ctl fcntl fcntl64 madvise getpid io_uring_enter'],
  [16, 'pread64 pwrite64 preadv pwritev sendto send'],
  [4, 'lseek _llseek mmap mmap2 munmap mprotect rt_sigprocmask clock_gettime fstat newfstatat'],
];

/** A frequency file counts what it names; a name that it lacks is as rare as this part of all. */
const RARE = 1 / 2048;

const BY_NAME = new Map(
  USUAL.flatMap(([count, names]) => names.split(' ').map((name) => [name, count] as const)),
);

/**
 * What each syscall weighs: as the policy's frequencies say, or as is usual if it has none. Something is added for those
 * that are hardly ever made, so that their paths do not grow without bound for next to nothing.
 */
export function weightsOf(policy: Policy, numbers: Iterable<number>): Map<number, number> {
  const { frequencies, architecture } = policy;
  const counted = frequencies.size > 0;
  const counts = new Map<number, number>();
  let total = 0;
  for (const number of numbers) {
    const usual = BY_NAME.get(architecture.syscallNames.get(number) ?? '');
    const count = (counted ? frequencies.get(number) : usual) ?? 1;
    counts.set(number, count);
    total += count;
  }
  for (const [number, count] of counts) counts.set(number, count + total * RARE);
  return counts;
}
