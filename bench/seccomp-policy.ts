/**
 * A policy of the size that a virtual machine monitor's devices have, in the Python dialect: what such a process calls,
 * with rules by argument for the syscalls that need them, and how often each is called in it.
 */
export const DEVICE_POLICY = `@frequency ./device.frequency
brk: 1
clock_gettime: 1
clock_nanosleep: 1
clone: arg0 & CLONE_THREAD
close: 1
dup: 1
epoll_create1: 1
epoll_ctl: 1
epoll_pwait: 1
eventfd2: 1
exit: 1
exit_group: 1
fallocate: 1
fcntl: arg1 == F_GETFL || arg1 == F_SETFL || arg1 == F_GETFD || arg1 == F_DUPFD_CLOEXEC
fdatasync: 1
fstat: 1
fsync: 1
ftruncate: 1
futex: 1
getcwd: 1
getpid: 1
getrandom: 1
gettid: 1
gettimeofday: 1
getuid: 1
io_uring_enter: 1
ioctl: arg1 == 0x5421 || arg1 == 0x5450 || arg1 == 0xae80 || arg1 == 0x4008ae61
kill: 1
lseek: 1
madvise: {arg2 == MADV_WILLNEED; return EPERM, arg2 == MADV_DONTNEED || arg2 == MADV_REMOVE || arg2 == MADV_FREE}
membarrier: 1
mmap: arg2 in ~PROT_EXEC
mprotect: arg2 in ~PROT_EXEC
mremap: 1
munmap: 1
nanosleep: 1
openat: return ENOENT
pipe2: 1
ppoll: 1
prctl: arg0 == PR_SET_NAME || arg0 == PR_SET_VMA
pread64: 1
preadv: 1
prlimit64: arg2 == 0
pwrite64: 1
pwritev: 1
read: 1
readlinkat: 1
readv: 1
recvfrom: 1
recvmsg: 1
restart_syscall: 1
rseq: 1
rt_sigaction: 1
rt_sigprocmask: 1
rt_sigreturn: 1
sched_getaffinity: 1
sched_yield: 1
sendmsg: 1
sendto: 1
set_robust_list: 1
sigaltstack: 1
socket: arg0 == AF_UNIX
statx: 1
tgkill: arg2 == SIGABRT
timerfd_create: 1
timerfd_settime: 1
uname: 1
write: 1
writev: 1
`;

export const DEVICE_FREQUENCY = `read: 4000
write: 4000
ioctl: 3000
epoll_pwait: 3000
futex: 2000
recvmsg: 1500
sendmsg: 1500
readv: 1000
writev: 1000
madvise: 800
preadv: 500
pwritev: 500
timerfd_settime: 200
fcntl: 100
epoll_ctl: 100
close: 50
mmap: 30
munmap: 30
mprotect: 20
clock_gettime: 20
`;
