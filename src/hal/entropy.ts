import { bytes, out } from './contract/arrays.js';
import { u32 } from './contract/codec.js';
import { call, defineHal, type HalOf, syscall } from './contract/define.js';

/** Randomness, for jitter and seeds. */
export const Entropy = defineHal('entropy', {
  /** A uniform whole number from 0 to `below` - 1; `below` is at least 1. */
  uniform: call({ below: u32 }, { returns: u32, syscalls: [syscall('getrandom')] }),
  /** Fills the buffer. */
  fill: call({ into: out(bytes) }, { syscalls: [syscall('getrandom')] }),
});
export type Entropy = HalOf<typeof Entropy>;
