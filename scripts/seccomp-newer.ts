import type { ArchitectureName } from '../src/seccomp/architecture.js';

/**
 * What kernels after Debian's headers (6.1) brought. Numbers are facts; they were compared with the kernel's
 * scripts/syscall.tbl and arch/{x86,arm} tables, and with libseccomp's src/syscalls.csv (Linux 7.1-rc4).
 */

/** Since 5.4 a new syscall has one number on all three. */
const NEWER_SYSCALLS: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
  listns: 470,
  rseq_slice_yield: 471,
};

const NEWER_SYSCALLS_OF: Readonly<Record<ArchitectureName, Readonly<Record<string, number>>>> = {
  x86_64: { uretprobe: 335, uprobe: 336 },
  aarch64: {},
  arm: {},
};

/** include/uapi/; the requests of ioctl are of structures that are alike on 32 and 64 bit. */
const NEWER_CONSTANTS: Readonly<Record<string, number>> = {
  F_DUPFD_QUERY: 1027,
  FS_IOC_GETFSSYSFSPATH: 0x80811501,
  FS_IOC_GETFSUUID: 0x80111500,
  MADV_GUARD_INSTALL: 102,
  MADV_GUARD_REMOVE: 103,
  MAP_DROPPABLE: 0x08,
  MFD_EXEC: 0x10,
  MFD_NOEXEC_SEAL: 0x08,
  MOVE_MOUNT_BENEATH: 0x200,
  PAGEMAP_SCAN: 0xc0606610,
  PROCMAP_QUERY: 0xc0686611,
  PR_GET_AUXV: 0x41555856,
  PR_GET_MDWE: 66,
  PR_GET_MEMORY_MERGE: 68,
  PR_MDWE_NO_INHERIT: 2,
  PR_MDWE_REFUSE_EXEC_GAIN: 1,
  PR_SET_MDWE: 65,
  PR_SET_MEMORY_MERGE: 67,
  SCHED_EXT: 7,
  SOL_VSOCK: 287,
  SO_PASSPIDFD: 76,
  SO_PEERPIDFD: 77,
};

const KVM_MEMORY_CONSTANTS: Readonly<Record<string, number>> = {
  KVM_CREATE_GUEST_MEMFD: 0xc040aed4,
  KVM_SET_MEMORY_ATTRIBUTES: 0x4020aed2,
  KVM_SET_USER_MEMORY_REGION2: 0x40a0ae49,
};

const NEWER_CONSTANTS_OF: Readonly<Record<ArchitectureName, Readonly<Record<string, number>>>> = {
  x86_64: {
    ...KVM_MEMORY_CONSTANTS,
    ARCH_ENABLE_TAGGED_ADDR: 0x4002,
    ARCH_GET_MAX_TAG_BITS: 0x4003,
    ARCH_GET_UNTAG_MASK: 0x4001,
    ARCH_SHSTK_DISABLE: 0x5002,
    ARCH_SHSTK_ENABLE: 0x5001,
    ARCH_SHSTK_LOCK: 0x5003,
    ARCH_SHSTK_STATUS: 0x5005,
    ARCH_SHSTK_UNLOCK: 0x5004,
    MAP_ABOVE4G: 0x80,
    SHADOW_STACK_SET_TOKEN: 1,
  },
  aarch64: { ...KVM_MEMORY_CONSTANTS, PKEY_DISABLE_EXECUTE: 4, PKEY_DISABLE_READ: 8 },
  arm: {},
};

export function newerSyscalls(arch: ArchitectureName): ReadonlyMap<string, number> {
  return new Map([...Object.entries(NEWER_SYSCALLS), ...Object.entries(NEWER_SYSCALLS_OF[arch])]);
}

export function newerConstants(arch: ArchitectureName): ReadonlyMap<string, bigint> {
  const all = { ...NEWER_CONSTANTS, ...NEWER_CONSTANTS_OF[arch] };
  return new Map(Object.entries(all).map(([name, value]) => [name, BigInt(value)]));
}
