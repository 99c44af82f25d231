/** The architectures whose policies are known here, by the kernel's names. */
export type ArchitectureName = 'x86_64' | 'aarch64' | 'arm';

/** What a policy needs to know of an architecture. */
export interface Architecture {
  readonly name: ArchitectureName;
  /** `AUDIT_ARCH_*` (include/uapi/linux/audit.h). */
  readonly auditArch: number;
  readonly wordBits: 32 | 64;
  /** Numbers by name; several names may have one number. */
  readonly syscalls: ReadonlyMap<string, number>;
  /** The preferred name of each number. */
  readonly syscallNames: ReadonlyMap<number, string>;
  /** Named constants, as unsigned machine words. */
  readonly constants: ReadonlyMap<string, bigint>;
}
