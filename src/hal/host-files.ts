import { bytes } from './contract/arrays.js';
import { text, u32 } from './contract/codec.js';
import { call, defineHal, type HalOf, syscall } from './contract/define.js';

/** The few files of /sys and /proc that policies read. Raw bytes, so that a parser can change under old recordings. */
export const HostFiles = defineHal('host-files', {
  /** Opens, reads once at most `maxBytes` from the start, closes. Longer content is cut. */
  read: call(
    { path: text, maxBytes: u32 },
    {
      returns: bytes,
      syscalls: [syscall('openat', { 2: 'O_RDONLY|O_CLOEXEC' }), syscall('read'), syscall('close')],
    },
  ),
});
export type HostFiles = HalOf<typeof HostFiles>;
