import { bytes } from './contract/arrays.js';
import { bool } from './contract/codec.js';
import { call, defineHal, type HalOf, syscall } from './contract/define.js';

/** The jail of this process (seccomp(2)). */
export const Seccomp = defineHal('seccomp', {
  /** What this kernel offers. */
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
        syscall('prctl', { 0: 'PR_SET_NO_NEW_PRIVS', 1: 1 }),
        syscall('seccomp', { 0: 'SECCOMP_SET_MODE_FILTER', 1: 'SECCOMP_FILTER_FLAG_TSYNC' }),
      ],
    },
  ),
});
export type Seccomp = HalOf<typeof Seccomp>;
