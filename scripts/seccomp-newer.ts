import type { ArchitectureName } from '../src/seccomp/architecture.js';

/**
 * What kernels after Debian's headers (6.1) brought. Numbers are facts; they were compared with the kernel's
 * scripts/syscall.tbl and arch/{x86,arm} tables, and with libseccomp's src/syscalls.csv (Linux 7.1-rc4); constants with
 * the table that crosvm ships for its policies.
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
  AUDIT_IPE_ACCESS: 0x58c,
  AUDIT_IPE_CONFIG_CHANGE: 0x58d,
  AUDIT_IPE_POLICY_LOAD: 0x58e,
  FSCRYPT_MODE_SM4_CTS: 8,
  FSCRYPT_MODE_SM4_XTS: 7,
  FS_IOC_GETFSSYSFSPATH: 0x80811501,
  FS_IOC_GETFSUUID: 0x80111500,
  F_DUPFD_QUERY: 1027,
  LSMT_ROOT: -1,
  MADV_GUARD_INSTALL: 102,
  MADV_GUARD_REMOVE: 103,
  MAP_DROPPABLE: 0x08,
  MFD_EXEC: 0x10,
  MFD_NOEXEC_SEAL: 0x08,
  MNT_ID_REQ_SIZE_VER0: 24,
  MNT_ID_REQ_SIZE_VER1: 32,
  MOVE_MOUNT_BENEATH: 0x200,
  MSG_SOCK_DEVMEM: 0x2000000,
  PAGEMAP_SCAN: 0xc0606610,
  PROCMAP_QUERY: 0xc0686611,
  PR_GET_AUXV: 0x41555856,
  PR_GET_MDWE: 66,
  PR_GET_MEMORY_MERGE: 68,
  PR_MDWE_NO_INHERIT: 2,
  PR_MDWE_REFUSE_EXEC_GAIN: 1,
  PR_PPC_DEXCR_CTRL_CLEAR: 4,
  PR_PPC_DEXCR_CTRL_CLEAR_ONEXEC: 16,
  PR_PPC_DEXCR_CTRL_EDITABLE: 1,
  PR_PPC_DEXCR_CTRL_MASK: 31,
  PR_PPC_DEXCR_CTRL_SET: 2,
  PR_PPC_DEXCR_CTRL_SET_ONEXEC: 8,
  PR_PPC_DEXCR_IBRTPD: 1,
  PR_PPC_DEXCR_NPHIE: 3,
  PR_PPC_DEXCR_SBHE: 0,
  PR_PPC_DEXCR_SRAPD: 2,
  PR_PPC_GET_DEXCR: 72,
  PR_PPC_SET_DEXCR: 73,
  PR_RISCV_CTX_SW_FENCEI_OFF: 1,
  PR_RISCV_CTX_SW_FENCEI_ON: 0,
  PR_RISCV_SCOPE_PER_PROCESS: 0,
  PR_RISCV_SCOPE_PER_THREAD: 1,
  PR_RISCV_SET_ICACHE_FLUSH_CTX: 71,
  PR_RISCV_V_GET_CONTROL: 70,
  PR_RISCV_V_SET_CONTROL: 69,
  PR_RISCV_V_VSTATE_CTRL_CUR_MASK: 3,
  PR_RISCV_V_VSTATE_CTRL_DEFAULT: 0,
  PR_RISCV_V_VSTATE_CTRL_MASK: 31,
  PR_RISCV_V_VSTATE_CTRL_NEXT_MASK: 12,
  PR_RISCV_V_VSTATE_CTRL_OFF: 1,
  PR_RISCV_V_VSTATE_CTRL_ON: 2,
  PR_SET_MDWE: 65,
  PR_SET_MEMORY_MERGE: 67,
  SCHED_EXT: 7,
  SCM_DEVMEM_DMABUF: 79,
  SCM_DEVMEM_LINEAR: 78,
  SEGV_CPERR: 10,
  SER_RS485_MODE_RS422: 0x200,
  SOL_VSOCK: 287,
  SO_DEVMEM_DMABUF: 79,
  SO_DEVMEM_DONTNEED: 80,
  SO_DEVMEM_LINEAR: 78,
  SO_PASSPIDFD: 76,
  SO_PEERPIDFD: 77,
  STATMOUNT_FS_TYPE: 32,
  STATMOUNT_MNT_BASIC: 2,
  STATMOUNT_MNT_NS_ID: 64,
  STATMOUNT_MNT_OPTS: 128,
  STATMOUNT_MNT_POINT: 16,
  STATMOUNT_MNT_ROOT: 8,
  STATMOUNT_PROPAGATE_FROM: 4,
  STATMOUNT_SB_BASIC: 1,
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
    ARCH_FORCE_TAGGED_SVA: 0x4004,
    ARCH_GET_MAX_TAG_BITS: 0x4003,
    ARCH_GET_UNTAG_MASK: 0x4001,
    ARCH_SHSTK_DISABLE: 0x5002,
    ARCH_SHSTK_ENABLE: 0x5001,
    ARCH_SHSTK_LOCK: 0x5003,
    ARCH_SHSTK_STATUS: 0x5005,
    ARCH_SHSTK_UNLOCK: 0x5004,
    ARCH_XCOMP_TILECFG: 17,
    ARCH_XCOMP_TILEDATA: 18,
    MAP_ABOVE4G: 0x80,
    SHADOW_STACK_SET_TOKEN: 1,
  },
  aarch64: {
    ...KVM_MEMORY_CONSTANTS,
    FPMR_MAGIC: 0x46504d52,
    PKEY_DISABLE_EXECUTE: 4,
    PKEY_DISABLE_READ: 8,
    POE_MAGIC: 0x504f4530,
    TPIDR2_MAGIC: 0x54504902,
    ZT_MAGIC: 0x5a544e01,
  },
  arm: {},
};

export function newerSyscalls(arch: ArchitectureName): ReadonlyMap<string, number> {
  return new Map([...Object.entries(NEWER_SYSCALLS), ...Object.entries(NEWER_SYSCALLS_OF[arch])]);
}

export function newerConstants(arch: ArchitectureName): ReadonlyMap<string, bigint> {
  const all = { ...NEWER_CONSTANTS, ...NEWER_CONSTANTS_OF[arch] };
  const bits = arch === 'arm' ? 32 : 64;
  return new Map(
    Object.entries(all).map(([name, value]) => [name, BigInt.asUintN(bits, BigInt(value))]),
  );
}
