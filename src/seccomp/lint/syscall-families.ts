/** Syscalls that do one thing, of which an architecture or a C library uses one or the other. Preferred ones first. */
const FAMILIES: readonly string[] = [
  'mmap mmap2',
  'recvfrom recv',
  'sendto send',
  'openat open',
  'creat openat open',
  'newfstatat fstatat64 stat stat64 lstat lstat64 statx',
  'fstat fstat64',
  'statfs statfs64',
  'fstatfs fstatfs64',
  'truncate truncate64',
  'ftruncate ftruncate64',
  'fcntl fcntl64',
  'lseek _llseek',
  'pselect6 _newselect select pselect6_time64',
  'ppoll poll ppoll_time64',
  'epoll_pwait epoll_wait epoll_pwait2',
  'epoll_create1 epoll_create',
  'eventfd2 eventfd',
  'signalfd4 signalfd',
  'inotify_init1 inotify_init',
  'dup3 dup2',
  'pipe2 pipe',
  'accept4 accept',
  'clone fork vfork clone3',
  'getdents64 getdents',
  'mkdirat mkdir',
  'mknodat mknod',
  'unlinkat unlink rmdir',
  'linkat link',
  'symlinkat symlink',
  'readlinkat readlink',
  'renameat2 renameat rename',
  'faccessat access faccessat2',
  'fchmodat chmod',
  'fchownat chown chown32 lchown lchown32',
  'fchown fchown32',
  'utimensat utimensat_time64 utimes utime futimesat',
  'rt_sigaction sigaction',
  'rt_sigreturn sigreturn',
  'rt_sigprocmask sigprocmask',
  'rt_sigsuspend sigsuspend',
  'rt_sigpending sigpending',
  'rt_sigtimedwait rt_sigtimedwait_time64',
  'prlimit64 getrlimit ugetrlimit setrlimit',
  'getuid getuid32',
  'geteuid geteuid32',
  'getgid getgid32',
  'getegid getegid32',
  'setuid setuid32',
  'setgid setgid32',
  'setreuid setreuid32',
  'setregid setregid32',
  'setresuid setresuid32',
  'setresgid setresgid32',
  'getresuid getresuid32',
  'getresgid getresgid32',
  'getgroups getgroups32',
  'setgroups setgroups32',
  'setfsuid setfsuid32',
  'setfsgid setfsgid32',
  'sendfile sendfile64',
  'fadvise64 arm_fadvise64_64',
  'sync_file_range arm_sync_file_range sync_file_range2',
  'clock_gettime clock_gettime64 gettimeofday time',
  'clock_settime clock_settime64 settimeofday',
  'clock_getres clock_getres_time64',
  'clock_nanosleep clock_nanosleep_time64 nanosleep',
  'clock_adjtime clock_adjtime64 adjtimex',
  'timer_gettime timer_gettime64',
  'timer_settime timer_settime64',
  'timerfd_gettime timerfd_gettime64',
  'timerfd_settime timerfd_settime64',
  'futex futex_time64',
  'recvmmsg recvmmsg_time64',
  'semtimedop semtimedop_time64',
  'mq_timedsend mq_timedsend_time64',
  'mq_timedreceive mq_timedreceive_time64',
  'io_pgetevents io_pgetevents_time64',
  'sched_rr_get_interval sched_rr_get_interval_time64',
  'setitimer alarm',
  'rt_sigsuspend pause',
  'getpgid getpgrp',
  'arch_prctl ARM_set_tls',
];

const BY_NAME: ReadonlyMap<string, readonly string[]> = indexFamilies();

function indexFamilies(): ReadonlyMap<string, readonly string[]> {
  const byName = new Map<string, readonly string[]>();
  for (const family of FAMILIES.map((line) => line.split(' '))) {
    for (const name of family) {
      const others = byName.get(name) ?? [];
      byName.set(name, [...others, ...family.filter((member) => !others.includes(member))]);
    }
  }
  return byName;
}

/** The names that can stand for a syscall on some architecture, its own among them. */
export function familyOf(name: string): readonly string[] {
  return BY_NAME.get(name) ?? [name];
}
