import test from 'ava';
import fc from 'fast-check';
import {
  ARCHITECTURE_NAMES,
  architectureOf,
  SYSCALL_ALIASES,
  UnknownArchitectureError,
} from '../../src/seccomp/architecture.js';

const x86 = architectureOf('x86_64');
const aarch64 = architectureOf('aarch64');
const arm = architectureOf('arm');
const all = [x86, aarch64, arm];

test('an architecture has the kernel’s name, and those of Node, Debian and uname', (t) => {
  for (const name of ARCHITECTURE_NAMES) t.is(architectureOf(name).name, name);
  for (const name of ['x86-64', 'amd64', 'x64']) t.is(architectureOf(name), x86);
  t.is(architectureOf('arm64'), aarch64);
  for (const name of ['arm32', 'armel', 'armhf', 'armv6l', 'armv7', 'armv7l', 'armv8l']) {
    t.is(architectureOf(name), arm);
  }
});

test('an unknown architecture is a typed error that names the known ones', (t) => {
  for (const name of ['', 'riscv64', 'i386', 'x32', 'armeb', 'oabi', 'ARM', 'constructor']) {
    const error = t.throws(() => architectureOf(name), { instanceOf: UnknownArchitectureError });
    t.is(error?.code, 'UNKNOWN_ARCHITECTURE');
    t.is(error?.architecture, name);
    t.regex(error?.message ?? '', /x86_64, aarch64 and arm/);
  }
});

test('audit numbers and words', (t) => {
  t.deepEqual(
    all.map(({ auditArch, wordBits }) => [auditArch, wordBits]),
    [
      [0xc000003e, 64],
      [0xc00000b7, 64],
      [0x40000028, 32],
    ],
  );
});

test('as many syscalls as Linux 7.1 has, and the second names of arm', (t) => {
  t.is(x86.syscallNames.size, 385);
  t.is(aarch64.syscallNames.size, 327);
  t.is(arm.syscallNames.size, 430);
  t.is(arm.syscalls.size, 430 + 1 + SYSCALL_ALIASES.arm.size);
});

/** Name, and numbers on x86_64, aarch64 and arm. */
const SYSCALLS: readonly [string, number | undefined, number | undefined, number | undefined][] = [
  ['read', 0, 63, 3],
  ['openat', 257, 56, 322],
  ['madvise', 28, 233, 220],
  ['mmap', 9, 222, undefined],
  ['mmap2', undefined, undefined, 192],
  ['open', 2, undefined, 5],
  ['arch_prctl', 158, undefined, undefined],
  ['recv', undefined, undefined, 291],
  ['send', undefined, undefined, 289],
  ['_llseek', undefined, undefined, 140],
  ['sigreturn', undefined, undefined, 119],
  ['clock_gettime64', undefined, undefined, 403],
  ['sched_rr_get_interval_time64', undefined, undefined, 423],
  ['newfstatat', 262, 79, undefined],
  ['memfd_secret', 447, 447, undefined],
  ['time', 201, undefined, undefined],
  ['seccomp', 317, 277, 383],
  ['memfd_create', 319, 279, 385],
  ['fadvise64', 221, 223, undefined],
  ['sync_file_range', 277, 84, undefined],
  ['uretprobe', 335, undefined, undefined],
  ['uprobe', 336, undefined, undefined],
];

test('numbers of syscalls on each architecture', (t) => {
  for (const [name, ...numbers] of SYSCALLS) {
    t.deepEqual(
      all.map(({ syscalls }) => syscalls.get(name)),
      numbers,
      name,
    );
  }
});

test('new syscalls have one number everywhere, and no gap', (t) => {
  for (const { name, syscalls, syscallNames } of all) {
    t.is(syscalls.get('futex_waitv'), 449);
    t.is(syscalls.get('futex_wait'), 455);
    t.is(syscalls.get('mseal'), 462);
    t.is(syscalls.get('rseq_slice_yield'), 471);
    for (let number = 448; number <= 471; number += 1) {
      t.is(syscallNames.get(number), x86.syscallNames.get(number), `${name} ${number}`);
    }
  }
});

test('neither x32 nor OABI numbers, nor names that are no syscalls', (t) => {
  for (const { syscalls } of all) {
    t.false(syscalls.has('arch_specific_syscall'));
    t.false(syscalls.has('syscalls'));
    t.true([...syscalls.values()].every((number) => number >= 0 && number < 0x900000));
    t.true([...syscalls.keys()].every((name) => /^(?:ARM_)?[a-z0-9_]+$/.test(name)));
  }
});

test('the private calls of arm have both of their names', (t) => {
  const calls = ['breakpoint', 'cacheflush', 'usr26', 'usr32', 'set_tls', 'get_tls'];
  calls.forEach((name, index) => {
    t.is(arm.syscalls.get(name), 0xf0001 + index);
    t.is(arm.syscalls.get(`ARM_${name}`), 0xf0001 + index);
    t.is(arm.syscallNames.get(0xf0001 + index), `ARM_${name}`);
    t.false(x86.syscalls.has(`ARM_${name}`));
  });
});

test('what arm reorders has both names, and is called as the kernel does', (t) => {
  t.is(arm.syscalls.get('sync_file_range2'), 341);
  t.is(arm.syscallNames.get(341), 'arm_sync_file_range');
  t.is(arm.syscalls.get('fadvise64_64'), 270);
  t.is(arm.syscallNames.get(270), 'arm_fadvise64_64');
});

test('two names of one number are declared, all others are alone', (t) => {
  for (const { name, syscalls, syscallNames } of all) {
    const seconds = [...syscalls].filter(([call, number]) => syscallNames.get(number) !== call);
    const known = name === 'arm' ? ['sync_file_range2', ...SYSCALL_ALIASES.arm.keys()] : [];
    t.deepEqual(seconds.map(([call]) => call).sort(), [...known].sort());
    for (const [number, call] of syscallNames) t.is(syscalls.get(call), number);
    for (const [alias, call] of SYSCALL_ALIASES[name]) {
      t.is(syscalls.get(alias), syscalls.get(call));
    }
  }
});

/** Name, and values on x86_64, aarch64 and arm. */
const CONSTANTS: readonly [string, bigint | undefined, bigint | undefined, bigint | undefined][] = [
  ['EPERM', 1n, 1n, 1n],
  ['ENOSYS', 38n, 38n, 38n],
  ['MADV_DONTNEED', 4n, 4n, 4n],
  ['MADV_REMOVE', 9n, 9n, 9n],
  ['MADV_GUARD_INSTALL', 102n, 102n, 102n],
  ['PROT_EXEC', 4n, 4n, 4n],
  ['MAP_FIXED_NOREPLACE', 0x100000n, 0x100000n, 0x100000n],
  ['O_CLOEXEC', 0x80000n, 0x80000n, 0x80000n],
  ['O_DIRECTORY', 0x10000n, 0x4000n, 0x4000n],
  ['O_NOFOLLOW', 0x20000n, 0x8000n, 0x8000n],
  ['O_DIRECT', 0x4000n, 0x10000n, 0x10000n],
  ['O_LARGEFILE', 0x8000n, 0x20000n, 0x20000n],
  ['F_GETLK64', 5n, 5n, 12n],
  ['F_SETLK64', 6n, 6n, 13n],
  ['F_SETLKW64', 7n, 7n, 14n],
  ['F_DUPFD_CLOEXEC', 1030n, 1030n, 1030n],
  ['AT_FDCWD', 0xffffffffffffff9cn, 0xffffffffffffff9cn, 0xffffff9cn],
  ['CLONE_IO', 0x80000000n, 0x80000000n, 0x80000000n],
  ['CLONE_VM', 0x100n, 0x100n, 0x100n],
  ['TCGETS', 0x5401n, 0x5401n, 0x5401n],
  ['FIONBIO', 0x5421n, 0x5421n, 0x5421n],
  ['FIOQSIZE', 0x5460n, 0x5460n, 0x545en],
  ['TUNSETIFF', 0x400454can, 0x400454can, 0x400454can],
  ['VHOST_SET_OWNER', 0xaf01n, 0xaf01n, 0xaf01n],
  ['UFFDIO_API', 0xc018aa3fn, 0xc018aa3fn, 0xc018aa3fn],
  ['KVM_RUN', 0xae80n, 0xae80n, undefined],
  ['BLKGETSIZE64', 0x80081272n, 0x80081272n, 0x80041272n],
  ['FUTEX_PRIVATE_FLAG', 128n, 128n, 128n],
  ['PR_SET_VMA', 0x53564d41n, 0x53564d41n, 0x53564d41n],
  ['PR_SET_NAME', 15n, 15n, 15n],
  ['SECCOMP_RET_USER_NOTIF', 0x7fc00000n, 0x7fc00000n, 0x7fc00000n],
  ['RLIM_INFINITY', 0xffffffffffffffffn, 0xffffffffffffffffn, 0xffffffffn],
  ['RLIMIT_NOFILE', 7n, 7n, 7n],
  ['S_IFMT', 0xf000n, 0xf000n, 0xf000n],
  ['SIGSYS', 31n, 31n, 31n],
  ['SIGSTKSZ', 8192n, 16384n, 8192n],
  ['SOL_SOCKET', 1n, 1n, 1n],
  ['AF_VSOCK', 40n, 40n, 40n],
  ['SOCK_CLOEXEC', 0x80000n, 0x80000n, 0x80000n],
  ['ARCH_SET_FS', 0x1002n, undefined, undefined],
];

test('values of constants on each architecture', (t) => {
  for (const [name, ...values] of CONSTANTS) {
    t.deepEqual(
      all.map(({ constants }) => constants.get(name)),
      values,
      name,
    );
  }
});

test('constants are unsigned words of their architecture', (t) => {
  for (const { wordBits, constants } of all) {
    t.true(constants.size > 3500);
    for (const [name, value] of constants) {
      t.true(value >= 0n && value >> BigInt(wordBits) === 0n, name);
    }
  }
});

test('a constant is found by its name alone, and nothing else is', (t) => {
  for (const { constants } of all) {
    const listed = new Map(constants);
    t.is(listed.size, constants.size);
    for (const [name, value] of listed) t.is(constants.get(name), value, name);
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom(...listed.keys()).map((known) => known.slice(0, -1)),
      fc.constantFrom(...listed.keys()).map((known) => `${known}_`),
      fc.constantFrom(...listed.keys()).map((known) => known.toLowerCase()),
    );
    fc.assert(fc.property(name, (any) => constants.get(any) === listed.get(any)));
    t.is([...constants.keys()].length, [...constants.values()].length);
    let count = 0;
    constants.forEach((value, any, table) => {
      count += Number(table === constants && listed.get(any) === value);
    });
    t.is(count, listed.size);
  }
});
