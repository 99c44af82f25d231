import { type Architecture, type SyscallUse, syscall } from './contract/footprint.js';

/** What several contracts' native sides make. Which call the C library chooses was seen with strace(1). */

export const FCNTL = { x86_64: 'fcntl', aarch64: 'fcntl', arm: 'fcntl64' } as const;
export const FTRUNCATE = { x86_64: 'ftruncate', aarch64: 'ftruncate', arm: 'ftruncate64' } as const;
export const MMAP = { x86_64: 'mmap', aarch64: 'mmap', arm: 'mmap2' } as const;

/** fstat(3): glibc 2.33 to 2.38 have newfstatat, others fstat; with times of 64 bits statx on 32-bit arm. */
export const FSTAT: readonly SyscallUse<unknown>[] = [
  syscall(
    { x86_64: 'newfstatat', aarch64: 'newfstatat' },
    { 3: 'AT_EMPTY_PATH' },
    { instead: [syscall('fstat')] },
  ),
  syscall(
    { arm: 'statx' },
    { 2: 'AT_EMPTY_PATH|AT_NO_AUTOMOUNT' },
    { instead: [syscall('fstat64')] },
  ),
];

/** A memfd of that size, sealed against any other. @param size in bytes, if it is known. */
export function sealedMemfd<A>(size?: (args: A) => number): readonly SyscallUse<A>[] {
  return [
    syscall('memfd_create', { 1: 'MFD_CLOEXEC|MFD_ALLOW_SEALING' }),
    syscall(FTRUNCATE, size === undefined ? {} : { 1: size }),
    syscall(FCNTL, { 1: 'F_ADD_SEALS', 2: 'F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_SEAL' }),
  ];
}

/** mmap(2) of memory that is shared with others. */
export function mapShared<A>(
  known: { readonly size?: (args: A) => number; readonly offset?: (args: A) => number } = {},
): SyscallUse<A> {
  const { size, offset } = known;
  return syscall<A>(MMAP, {
    0: 0,
    ...(size === undefined ? {} : { 1: size }),
    2: 'PROT_READ|PROT_WRITE',
    3: 'MAP_SHARED',
    5: offset ?? 0,
  });
}

/**
 * libuv (1.46) begins to poll a descriptor. The first time it looks whether epoll takes it, and lets nobody wait for it; each
 * time it forgets what it knew of it. Adding it to the loop is the loop's own matter, later.
 */
export const POLL_START: readonly SyscallUse<unknown>[] = [
  syscall('epoll_ctl', { 1: 'EPOLL_CTL_ADD' }, { times: 'optional' }),
  syscall('epoll_ctl', { 1: 'EPOLL_CTL_DEL' }, { times: 'optional' }),
  syscall('ioctl', { 1: 'FIONBIO' }, { times: 'optional' }),
  syscall('epoll_ctl', { 1: 'EPOLL_CTL_DEL' }, { times: 'optional' }),
];

/** libuv polls a descriptor no longer, if it did. */
export const POLL_STOP: readonly SyscallUse<unknown>[] = [
  syscall('epoll_ctl', { 1: 'EPOLL_CTL_DEL' }, { times: 'optional' }),
];

export const CLOSE: SyscallUse<unknown> = syscall('close');

/** A descriptor that libuv polled, maybe, is closed: libuv forgets it, and forgets it again. */
export const CLOSE_POLLED: readonly SyscallUse<unknown>[] = [...POLL_STOP, ...POLL_STOP, CLOSE];

/** Flags for openat(2) as the kernel gets them: 32-bit C libraries add O_LARGEFILE, 64-bit ones need not. */
export function openFlags(flags: string, architecture: Architecture): string {
  return architecture === 'arm' ? `${flags}|O_LARGEFILE` : flags;
}

/** A file's by its path, for reading. */
export const OPEN_TO_READ: SyscallUse<unknown> = syscall('openat', {
  2: (_, architecture) => openFlags('O_RDONLY|O_CLOEXEC', architecture),
});

/** Bytes in an eventfd or a timerfd (eventfd(2)). */
export const COUNTER_BYTES = 8;
