/**
 * Where the arguments of a syscall are on 32-bit arm, if it takes one of 64 bits. The EABI's rule (AAPCS, section 6.5,
 * C.3): such an argument starts at an even register, so that one before it may stay unused; and a syscall has r0 to r5,
 * which is why fadvise64_64 and sync_file_range have variants with another order (arch/arm/kernel/sys_arm.c;
 * fs/sync.c). So argument N of the prototype is not argument N of a policy.
 */

/** One word of seccomp_data.args. */
export interface WordParameter {
  readonly name: string;
  /** 0 to 5. */
  readonly word: number;
}

/** Two words of seccomp_data.args; each has 32 bits there. */
export interface PairParameter {
  readonly name: string;
  readonly low: number;
  readonly high: number;
}

export type ArmParameter = WordParameter | PairParameter;

function word(name: string, index: number): WordParameter {
  return { name, word: index };
}

/** Little-endian: the low half comes first. */
function pair(name: string, low: number): PairParameter {
  return { name, low, high: low + 1 };
}

const FD = word('fd', 0);
const TRUNCATE_LENGTH = pair('length', 2); // r1 is unused
const READ_WRITE_AT = [FD, word('buf', 1), word('count', 2), pair('pos', 4)]; // r3 is unused
/** The prototypes name both halves, so they are not aligned; the same on all architectures (fs/read_write.c). */
const VECTOR_AT = [FD, word('vec', 1), word('vlen', 2), pair('pos', 3)];

/** By the names of `Architecture.syscallNames`; parameters in the order of the C library's prototypes. */
export const ARM_REGISTER_PAIRS: ReadonlyMap<string, readonly ArmParameter[]> = new Map([
  // fs/open.c
  ['truncate64', [word('path', 0), TRUNCATE_LENGTH]],
  ['ftruncate64', [FD, TRUNCATE_LENGTH]],
  ['fallocate', [FD, word('mode', 1), pair('offset', 2), pair('len', 4)]],
  // fs/read_write.c
  ['pread64', READ_WRITE_AT],
  ['pwrite64', READ_WRITE_AT],
  ['preadv', VECTOR_AT],
  ['pwritev', VECTOR_AT],
  ['preadv2', [...VECTOR_AT, word('flags', 5)]],
  ['pwritev2', [...VECTOR_AT, word('flags', 5)]],
  // _llseek names the halves itself, the high one first.
  ['_llseek', [FD, { name: 'offset', low: 2, high: 1 }, word('result', 3), word('whence', 4)]],
  // mm/readahead.c; r1 is unused
  ['readahead', [FD, pair('offset', 2), word('count', 4)]],
  // arch/arm/kernel/sys_arm.c: the advice comes second
  ['arm_fadvise64_64', [FD, pair('offset', 2), pair('len', 4), word('advice', 1)]],
  // fs/sync.c, sync_file_range2: the flags come second
  ['arm_sync_file_range', [FD, pair('offset', 2), pair('nbytes', 4), word('flags', 1)]],
  // fs/notify/fanotify/fanotify_user.c
  ['fanotify_mark', [FD, word('flags', 1), pair('mask', 2), word('dirfd', 4), word('pathname', 5)]],
  // fs/dcookies.c, until Linux 6.3
  ['lookup_dcookie', [pair('cookie', 0), word('buf', 2), word('len', 3)]],
]);

export function isPair(parameter: ArmParameter): parameter is PairParameter {
  return 'low' in parameter;
}
