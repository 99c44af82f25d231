import { bytes, list } from './contract/arrays.js';
import { bool, handle, oneOf, text, u32, u64 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, syscall } from './contract/define.js';

/** "Operation not permitted" (errno(3)). */
export const EPERM = 1;

const attachment = handle('attachment');
const listener = handle('seccomp listener');
const refusal = handle('refusal');

const FCNTL = { x86_64: 'fcntl', aarch64: 'fcntl', arm: 'fcntl64' } as const;
const mapActivity = syscall(
  { x86_64: 'mmap', aarch64: 'mmap', arm: 'mmap2' },
  { 2: 'PROT_READ|PROT_WRITE', 3: 'MAP_SHARED' },
);
const noNewPrivileges = syscall('prctl', { 0: 'PR_SET_NO_NEW_PRIVS', 1: 1 });

/** Jails (seccomp(2)): how this process enters one, and how it supervises another that has. */
export const Seccomp = defineHal('seccomp', {
  /** What this kernel offers; `userNotify` is all that `confineAndNotify` needs (Linux 5.7). */
  probe: call(
    {},
    {
      returns: { filter: bool, tsync: bool, userNotify: bool },
      syscalls: [
        syscall('seccomp', { 0: 'SECCOMP_GET_ACTION_AVAIL' }),
        // Without a program: the kernel's error says whether it knows the flags.
        syscall('seccomp', { 0: 'SECCOMP_SET_MODE_FILTER', 2: 0 }),
      ],
    },
  ),
  /**
   * Installs a cBPF program (an array of struct sock_filter, 8 bytes each) for all threads of this process, after
   * PR_SET_NO_NEW_PRIVS. It cannot be taken back.
   */
  install: call(
    { program: bytes },
    {
      syscalls: [
        noNewPrivileges,
        syscall('seccomp', { 0: 'SECCOMP_SET_MODE_FILTER', 1: 'SECCOMP_FILTER_FLAG_TSYNC' }),
      ],
    },
  ),
  /**
   * Jails all threads of this process under a program that the native side knows by this name, with a test in front of it:
   * tgkill(2) may name no other process. What is refused ends the process, and nobody learns what it was but the audit log.
   * `instructions` counts that test; `sha256` is of the program without it. INVALID_ARGUMENT for an unknown name.
   */
  confine: call(
    { program: text },
    {
      returns: { instructions: u32, sha256: text },
      syscalls: [
        syscall('getpid'),
        noNewPrivileges,
        syscall('seccomp', { 0: 'SECCOMP_SET_MODE_FILTER', 1: 'SECCOMP_FILTER_FLAG_TSYNC' }),
      ],
    },
  ),
  /**
   * The same, but a system call whose action is to notify waits until a supervisor has answered. `listener` and `activity`
   * are for the supervisor: send both to it at once (`Channel.send`), for who holds the listener can answer itself.
   * `activity` is a page that says which call of the HAL is under way.
   */
  confineAndNotify: call(
    { program: text },
    {
      returns: { instructions: u32, sha256: text, listener: attachment, activity: attachment },
      syscalls: [
        syscall('memfd_create', { 1: 'MFD_CLOEXEC|MFD_ALLOW_SEALING' }),
        syscall({ x86_64: 'ftruncate', aarch64: 'ftruncate', arm: 'ftruncate64' }),
        syscall(FCNTL, { 1: 'F_ADD_SEALS' }),
        mapActivity,
        syscall('getpid'),
        noNewPrivileges,
        syscall('seccomp', {
          0: 'SECCOMP_SET_MODE_FILTER',
          1: 'SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_TSYNC_ESRCH|SECCOMP_FILTER_FLAG_NEW_LISTENER',
        }),
      ],
    },
  ),
  /**
   * Becomes the supervisor of the process that sent these: `refused` tells from now on what it may not do. The attachments
   * are used up. While a supervisor does not answer, the thread that was refused waits.
   */
  supervise: call(
    { listener: attachment, activity: attachment },
    {
      returns: listener,
      syscalls: [
        syscall({ x86_64: 'fstat', aarch64: 'fstat', arm: 'statx' }),
        syscall(FCNTL, { 1: 'F_GET_SEALS' }),
        mapActivity,
      ],
    },
  ),
  /**
   * Answers a refused system call: it fails with this errno (1 to 4095), or it passes and the kernel does it after all
   * (`errno` is then 0). Passing is sound only in trust: another thread may change what pointers point to. That nobody waits
   * any more, because the thread has ended, is no error.
   */
  answer: call(
    { refusal, verdict: oneOf('fail', 'pass'), errno: u32 },
    {
      syscalls: [syscall('ioctl', { 1: 'SECCOMP_IOCTL_NOTIF_SEND' })],
      answers: {
        event: 'refused',
        key: 'refusal',
        onFailure: ({ refusal: key }: { readonly refusal: number }) => ({
          refusal: key,
          verdict: 'fail' as const,
          errno: EPERM,
        }),
      },
    },
  ),
  /** Supervises no longer: what is refused from now on fails with ENOSYS. */
  closeListener: call({ listener }, { syscalls: [syscall('close')] }),
  /**
   * A supervised process made a system call that its policy refuses, and waits for the answer. Architecture (AUDIT_ARCH_*),
   * number and arguments are the kernel's; addresses among the arguments are the other process's own. `thread` is the
   * thread's name. `during` is the call of the HAL under way, as in "mmap.discard"; empty if there is none, or if it is
   * another thread than the one that makes them.
   */
  refused: event(
    {
      listener,
      refusal,
      auditArch: u32,
      number: u32,
      args: list(u64),
      thread: text,
      isMainThread: bool,
      during: text,
    },
    { key: 'listener' },
  ),
});
export type Seccomp = HalOf<typeof Seccomp>;
