import type { Architecture } from '../architecture.js';

/** All bits of the architecture's machine word. */
export function wordMask(architecture: Architecture): bigint {
  return (1n << BigInt(architecture.wordBits)) - 1n;
}

export type WordFit = 'fits' | 'overflow' | 'underflow';

/** Whether a number is a signed or an unsigned machine word. */
export function wordFit(value: bigint, architecture: Architecture): WordFit {
  if (value > wordMask(architecture)) return 'overflow';
  return value < -(1n << BigInt(architecture.wordBits - 1)) ? 'underflow' : 'fits';
}

/** `-1` or `0x8000000000000000` in words, for messages. */
export function wordRange(architecture: Architecture): string {
  const { wordBits, name } = architecture;
  return `a word of ${name} has ${wordBits} bits: -2^${wordBits - 1} to 2^${wordBits} - 1`;
}
