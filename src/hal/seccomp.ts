import { bytes, list } from './contract/arrays.js';
import { bool, handle, oneOf, text, u32, u64 } from './contract/codec.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import {
  CLOSE,
  FCNTL,
  FSTAT,
  mapShared,
  OPEN_TO_READ,
  POLL_START,
  POLL_STOP,
  sealedMemfd,
} from './usual-syscalls.js';

/** "Operation not permitted" (errno(3)). */
export const EPERM = 1;

const attachment = handle('attachment');
const listener = handle('seccomp listener');
const refusal = handle('refusal');

const LISTENER_FLAGS =
  'SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_TSYNC_ESRCH|SECCOMP_FILTER_FLAG_NEW_LISTENER';

/** seccomp(2) with a filter, or without one: then the kernel's error says whether it knows the flags. */
const setFilter = (flags: string | number, program = {}) =>
  syscall('seccomp', { 0: 'SECCOMP_SET_MODE_FILTER', 1: flags, ...program });
const noNewPrivileges = syscall('prctl', { 0: 'PR_SET_NO_NEW_PRIVS', 1: 1, 2: 0, 3: 0, 4: 0 });
const install = [noNewPrivileges, setFilter('SECCOMP_FILTER_FLAG_TSYNC')];

/** A listener's structures may be larger in another kernel, which tells their sizes. */
const notifySizes = syscall('seccomp', { 0: 'SECCOMP_GET_NOTIF_SIZES', 1: 0 });
/** poll(2), without waiting. */
const look = syscall({ x86_64: 'poll', arm: 'poll', aarch64: 'ppoll' });

/** Jails (seccomp(2)): how this process enters one, and how it supervises another that has. */
export const Seccomp = defineHal('seccomp', {
  /** What this kernel offers; `userNotify` is all that `confineAndNotify` needs (Linux 5.7). */
  probe: call(
    {},
    {
      returns: { filter: bool, tsync: bool, userNotify: bool },
      syscalls: [
        setFilter(0, { 2: 0 }),
        setFilter('SECCOMP_FILTER_FLAG_TSYNC', { 2: 0 }),
        syscall('seccomp', { 0: 'SECCOMP_GET_ACTION_AVAIL', 1: 0 }),
        // Not where it does not know what a listener is.
        { ...setFilter(LISTENER_FLAGS, { 2: 0 }), times: 'optional' },
      ],
    },
  ),
  /**
   * Installs a cBPF program (an array of struct sock_filter, 8 bytes each) for all threads of this process, after
   * PR_SET_NO_NEW_PRIVS. It cannot be taken back.
   */
  install: call({ program: bytes }, { syscalls: install }),
  /**
   * Jails all threads of this process under a program that the native side knows by this name, with a test in front of it:
   * tgkill(2) may name no other process. What is refused ends the process, and nobody learns what it was but the audit log.
   * `instructions` counts that test; `sha256` is of the program without it. INVALID_ARGUMENT for an unknown name.
   */
  confine: call(
    { program: text },
    {
      returns: { instructions: u32, sha256: text },
      syscalls: [syscall('getpid'), ...install],
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
        syscall('getpid'),
        ...sealedMemfd(),
        mapShared(),
        noNewPrivileges,
        setFilter(LISTENER_FLAGS),
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
      syscalls: [...FSTAT, syscall(FCNTL, { 1: 'F_GET_SEALS' }), mapShared(), CLOSE, ...POLL_START],
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
      syscalls: [notifySizes, syscall('ioctl', { 1: 'SECCOMP_IOCTL_NOTIF_SEND' })],
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
  closeListener: call(
    { listener },
    { syscalls: [...POLL_STOP, ...POLL_STOP, syscall('munmap'), CLOSE] },
  ),
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
    {
      key: 'listener',
      syscalls: [
        look,
        notifySizes,
        syscall('ioctl', { 1: 'SECCOMP_IOCTL_NOTIF_RECV' }),
        // What the thread is called.
        OPEN_TO_READ,
        syscall('read', {}, { times: 'optional' }),
        { ...CLOSE, times: 'optional' },
        syscall('ioctl', { 1: 'SECCOMP_IOCTL_NOTIF_ID_VALID' }),
      ],
    },
  ),
});
export type Seccomp = HalOf<typeof Seccomp>;
