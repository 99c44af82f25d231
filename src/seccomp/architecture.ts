import { ConstantTable } from './constant-table.js';
import { AARCH64_CONSTANTS } from './tables/aarch64-constants.js';
import { AARCH64_SYSCALLS } from './tables/aarch64-syscalls.js';
import { ARM_CONSTANTS } from './tables/arm-constants.js';
import { ARM_SYSCALLS } from './tables/arm-syscalls.js';
import { COMMON_CONSTANTS_A_E } from './tables/common-constants-a-e.js';
import { COMMON_CONSTANTS_F_O } from './tables/common-constants-f-o.js';
import { COMMON_CONSTANTS_P_Z } from './tables/common-constants-p-z.js';
import { X86_64_CONSTANTS } from './tables/x86-64-constants.js';
import { X86_64_SYSCALLS } from './tables/x86-64-syscalls.js';

/** The architectures whose policies are known here, by the kernel's names. */
export type ArchitectureName = 'x86_64' | 'aarch64' | 'arm';

/** What a policy needs to know of an architecture. */
export interface Architecture {
  readonly name: ArchitectureName;
  /** `AUDIT_ARCH_*` (include/uapi/linux/audit.h). */
  readonly auditArch: number;
  readonly wordBits: 32 | 64;
  /** Numbers by name; several names may have one number. x86_64 has no x32 numbers, arm no OABI ones. */
  readonly syscalls: ReadonlyMap<string, number>;
  /** The preferred name of each number: the kernel's headers', so one that minijail accepts too. */
  readonly syscallNames: ReadonlyMap<number, string>;
  /** Named constants, as unsigned machine words. More than minijail's table has, with the same values. */
  readonly constants: ReadonlyMap<string, bigint>;
}

/** @see architectureOf */
export class UnknownArchitectureError extends Error {
  readonly code = 'UNKNOWN_ARCHITECTURE';

  constructor(readonly architecture: string) {
    super(
      `no syscalls are known for the architecture ${JSON.stringify(architecture)}; ` +
        'there are x86_64, aarch64 and arm (EABI, little-endian)',
    );
    this.name = 'UnknownArchitectureError';
  }
}

/**
 * Syscall names that no kernel header has, so that minijail rejects them: strace and libseccomp say `cacheflush` where
 * arm's header says ARM_cacheflush, and `fadvise64_64` as on other 32-bit architectures.
 */
export const SYSCALL_ALIASES: Readonly<Record<ArchitectureName, ReadonlyMap<string, string>>> = {
  x86_64: new Map(),
  aarch64: new Map(),
  arm: new Map([
    ['breakpoint', 'ARM_breakpoint'],
    ['cacheflush', 'ARM_cacheflush'],
    ['usr26', 'ARM_usr26'],
    ['usr32', 'ARM_usr32'],
    ['set_tls', 'ARM_set_tls'],
    ['get_tls', 'ARM_get_tls'],
    ['fadvise64_64', 'arm_fadvise64_64'],
  ]),
};

/**
 * What else an architecture is called: by Node, Debian, `uname -m`, Go and LLVM. Big-endian and OABI variants of arm are
 * none of these: the kernel has no seccomp filters for OABI, and armeb is another AUDIT_ARCH.
 */
const OTHER_NAMES: ReadonlyMap<string, ArchitectureName> = new Map([
  ['x86-64', 'x86_64'],
  ['amd64', 'x86_64'],
  ['x64', 'x86_64'],
  ['arm64', 'aarch64'],
  ['arm32', 'arm'],
  ['armel', 'arm'],
  ['armhf', 'arm'],
  ['armv6l', 'arm'],
  ['armv7', 'arm'],
  ['armv7l', 'arm'],
  ['armv8l', 'arm'],
]);

/** The syscalls are parsed when they are first asked for, the constants one by one. */
class TableArchitecture implements Architecture {
  #syscalls: ReadonlyMap<string, number> | undefined;
  #syscallNames: ReadonlyMap<number, string> | undefined;
  readonly constants: ReadonlyMap<string, bigint>;
  readonly #syscallTable: string;

  constructor(
    readonly name: ArchitectureName,
    readonly auditArch: number,
    readonly wordBits: 32 | 64,
    tables: { readonly syscalls: string; readonly constants: string },
  ) {
    this.#syscallTable = tables.syscalls;
    this.constants = new ConstantTable([
      tables.constants,
      COMMON_CONSTANTS_A_E,
      COMMON_CONSTANTS_F_O,
      COMMON_CONSTANTS_P_Z,
    ]);
  }

  get syscalls(): ReadonlyMap<string, number> {
    this.#syscalls ??= this.#parseSyscalls();
    return this.#syscalls;
  }

  get syscallNames(): ReadonlyMap<number, string> {
    this.#syscallNames ??= firstNames(this.syscalls);
    return this.#syscallNames;
  }

  #parseSyscalls(): ReadonlyMap<string, number> {
    const syscalls = parseSyscalls(this.#syscallTable);
    for (const [alias, name] of SYSCALL_ALIASES[this.name]) {
      const number = syscalls.get(name);
      if (number !== undefined) syscalls.set(alias, number);
    }
    return syscalls;
  }
}

/** Lines of `NUMBER NAME NAME …`: each name has the next number, names of one number are joined by a slash. */
function parseSyscalls(table: string): Map<string, number> {
  const syscalls = new Map<string, number>();
  for (const line of table.trim().split('\n')) {
    const [first, ...words] = line.split(' ');
    words.forEach((word, index) => {
      for (const name of word.split('/')) syscalls.set(name, Number(first) + index);
    });
  }
  return syscalls;
}

/** The table names the preferred one first. */
function firstNames(syscalls: ReadonlyMap<string, number>): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const [name, number] of syscalls) if (!names.has(number)) names.set(number, name);
  return names;
}

const ARCHITECTURES: Readonly<Record<ArchitectureName, Architecture>> = {
  x86_64: new TableArchitecture('x86_64', 0xc000003e, 64, {
    syscalls: X86_64_SYSCALLS,
    constants: X86_64_CONSTANTS,
  }),
  aarch64: new TableArchitecture('aarch64', 0xc00000b7, 64, {
    syscalls: AARCH64_SYSCALLS,
    constants: AARCH64_CONSTANTS,
  }),
  arm: new TableArchitecture('arm', 0x40000028, 32, {
    syscalls: ARM_SYSCALLS,
    constants: ARM_CONSTANTS,
  }),
};

export const ARCHITECTURE_NAMES: readonly ArchitectureName[] = ['x86_64', 'aarch64', 'arm'];

/**
 * The architecture of this name: the kernel's (x86_64, aarch64, arm), or x86-64, amd64, x64; arm64; arm32, armel, armhf,
 * armv6l, armv7, armv7l, armv8l. The same object each time.
 *
 * @throws UnknownArchitectureError
 */
export function architectureOf(name: string): Architecture {
  const known = ARCHITECTURE_NAMES.find((architecture) => architecture === name);
  const kernelName = known ?? OTHER_NAMES.get(name);
  if (kernelName === undefined) throw new UnknownArchitectureError(name);
  return ARCHITECTURES[kernelName];
}
