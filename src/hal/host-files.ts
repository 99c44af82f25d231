import { bytes } from './contract/arrays.js';
import { text, u32 } from './contract/codec.js';
import { call, defineHal, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { CLOSE, OPEN_TO_READ } from './usual-syscalls.js';

/** The few files of /sys and /proc that policies read. Raw bytes, so that a parser can change under old recordings. */
export const HostFiles = defineHal('host-files', {
  /** Opens, reads once at most `maxBytes` from the start, closes. Longer content is cut. */
  read: call(
    { path: text, maxBytes: u32 },
    {
      returns: bytes,
      syscalls: [OPEN_TO_READ, syscall('read', { 2: (a) => a.maxBytes }), CLOSE],
    },
  ),
});
export type HostFiles = HalOf<typeof HostFiles>;
