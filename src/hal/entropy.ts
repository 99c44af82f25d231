import { bytes, out } from './contract/arrays.js';
import { u32 } from './contract/codec.js';
import { call, defineHal, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';

/** A draw that would make some numbers likelier is thrown away, and another is made. */
const DRAW = syscall('getrandom', { 1: 4, 2: 0 });

/** Randomness, for jitter and seeds. */
export const Entropy = defineHal('entropy', {
  /** A uniform whole number from 0 to `below` - 1; `below` is at least 1. */
  uniform: call({ below: u32 }, { returns: u32, syscalls: [DRAW, { ...DRAW, times: 'any' }] }),
  /** Fills the buffer. */
  fill: call(
    { into: out(bytes) },
    { syscalls: [syscall('getrandom', { 2: 0 }, { times: 'any' })] },
  ),
});
export type Entropy = HalOf<typeof Entropy>;
