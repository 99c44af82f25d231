import { spawnSync } from 'node:child_process';
import type { ArchitectureName } from '../src/seccomp/architecture.js';

/**
 * Asks the compilers' headers for syscall numbers and constants. Nothing is run on the target: the compiler prints the
 * values into its assembly.
 */

/** Debian's compilers and the packages that bring them, with the C library's and the kernel's headers. */
const COMPILERS: Readonly<Record<ArchitectureName, { command: string; package: string }>> = {
  x86_64: { command: 'x86_64-linux-gnu-gcc', package: 'gcc-x86-64-linux-gnu' },
  aarch64: { command: 'aarch64-linux-gnu-gcc', package: 'g++-aarch64-linux-gnu' },
  arm: { command: 'arm-linux-gnueabihf-gcc', package: 'g++-arm-linux-gnueabihf' },
};

/**
 * Where policies take their names from: what minijail's table is made of, and the headers of the devices that virtual
 * machine monitors open. Those that exist on one architecture only are left out elsewhere.
 */
const HEADERS: readonly string[] = [
  ...['errno', 'fcntl', 'sched', 'signal', 'stddef', 'unistd', 'netinet/in', 'netinet/tcp'],
  ...['sys/epoll', 'sys/eventfd', 'sys/inotify', 'sys/ipc', 'sys/mman', 'sys/prctl', 'sys/ptrace'],
  ...['sys/random', 'sys/resource', 'sys/sem', 'sys/shm', 'sys/signalfd', 'sys/socket', 'sys/stat'],
  ...['sys/timerfd', 'sys/types', 'sys/wait', 'asm/prctl', 'linux/audit', 'linux/blkzoned'],
  ...['linux/capability', 'linux/close_range', 'linux/dma-buf', 'linux/dma-heap', 'linux/elf-em'],
  ...['linux/fd', 'linux/fs', 'linux/fscrypt', 'linux/fsverity', 'linux/futex', 'linux/if_tun'],
  ...['linux/io_uring', 'linux/kcmp', 'linux/kvm', 'linux/landlock', 'linux/loop'],
  ...[
    'linux/membarrier',
    'linux/memfd',
    'linux/mempolicy',
    'linux/mman',
    'linux/net',
    'linux/nsfs',
  ],
  ...['linux/perf_event', 'linux/prctl', 'linux/random', 'linux/sched', 'linux/seccomp'],
  ...['linux/serial', 'linux/sockios', 'linux/sync_file', 'linux/termios', 'linux/udmabuf'],
  ...['linux/usbdevice_fs', 'linux/userfaultfd', 'linux/vfio', 'linux/vhost', 'linux/vm_sockets'],
];

/** Where the kernel's headers win: glibc's O_LARGEFILE is 0 on 64 bit, and its SIGSTKSZ asks at run time. */
const KERNEL_HEADERS = ['asm/fcntl', 'linux/signal'];
const KERNEL_NAMES = /^(?:[OF]_[A-Z0-9_]+|(?:MIN)?SIGSTKSZ)$/;

export interface HeaderDump {
  /** `Linux 6.1.4, glibc 2.36` */
  readonly versions: string;
  /** By the headers' names, the private calls of arm with their prefix `ARM_`. */
  readonly syscalls: ReadonlyMap<string, number>;
  /** Unsigned machine words. */
  readonly constants: ReadonlyMap<string, bigint>;
}

/** Why an architecture's headers cannot be asked here; or undefined if they can. */
export function missingCompiler(arch: ArchitectureName): string | undefined {
  const { command, package: debianPackage } = COMPILERS[arch];
  if (spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0) return undefined;
  return `${command} is missing; Debian has it in ${debianPackage}`;
}

/** @throws Error with the compiler's message. */
export function dumpHeaders(arch: ArchitectureName): HeaderDump {
  return {
    versions: versionsOf(arch),
    syscalls: syscallsOf(arch),
    constants: constantsOf(arch),
  };
}

const searchPaths = new Map<string, readonly string[]>();

/**
 * A cross compiler also looks into the host's headers, last; a header that its own architecture lacks must not come
 * from there.
 */
function searchPath(command: string): readonly string[] {
  const known = searchPaths.get(command);
  if (known !== undefined) return known;
  const { stderr } = spawnSync(command, ['-E', '-v', '-x', 'c', '/dev/null', '-o', '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [, list = ''] =
    /#include <\.\.\.> search starts here:\n([\s\S]*)End of search list/.exec(stderr) ?? [];
  const folders = list.split('\n').flatMap((line) => (line === '' ? [] : [line.trim()]));
  const isCross = folders.some((folder) => folder.includes('gcc-cross'));
  const used = isCross ? folders.filter((folder) => !folder.startsWith('/usr/include')) : folders;
  const flags = ['-nostdinc', ...used.flatMap((folder) => ['-isystem', folder])];
  searchPaths.set(command, flags);
  return flags;
}

/** Runs the compiler on a C source. */
function compile(arch: ArchitectureName, flags: readonly string[], source: string) {
  const { command } = COMPILERS[arch];
  const { status, stdout, stderr, error } = spawnSync(
    command,
    [...searchPath(command), '-x', 'c', '-std=gnu17', '-w', ...flags, '-o', '-', '-'],
    { input: source, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: 'C' } },
  );
  if (error !== undefined) throw error;
  return { status, stdout, stderr, command };
}

function compileWell(arch: ArchitectureName, flags: readonly string[], source: string): string {
  const { status, stdout, stderr, command } = compile(arch, flags, source);
  if (status !== 0)
    throw new Error(`${command} failed: ${stderr.split('\n').slice(0, 5).join('\n')}`);
  return stdout;
}

/** The names of a source's macros without parameters, in order of the alphabet. */
function macrosOf(arch: ArchitectureName, source: string, pattern: RegExp): string[] {
  const text = compileWell(arch, ['-E', '-dM'], source);
  const names = [...text.matchAll(/^#define (\w+) \S/gm)].map(([, name = '']) => name);
  return names.filter((name) => pattern.test(name)).sort();
}

function versionsOf(arch: ArchitectureName): string {
  const macros = ['LINUX_VERSION_CODE', '__GLIBC__', '__GLIBC_MINOR__'];
  const values = evaluate(arch, '#include <linux/version.h>\n#include <features.h>\n', macros);
  const [linux = 0, major = 0, minor = 0] = macros.map((name) => Number(values.get(name)));
  return `Linux ${linux >> 16}.${(linux >> 8) & 255}.${linux & 255}, glibc ${major}.${minor}`;
}

function syscallsOf(arch: ArchitectureName): ReadonlyMap<string, number> {
  const source = '#include <asm/unistd.h>\n';
  const macros = macrosOf(arch, source, /^__(?:ARM_)?NR_[a-z0-9_]+$/);
  const values = evaluate(arch, source, macros);
  return new Map(
    [...values].map(([macro, value]) => [macro.replace(/^__(ARM_)?NR_/, '$1'), Number(value)]),
  );
}

function constantsOf(arch: ArchitectureName): ReadonlyMap<string, bigint> {
  const source = `#define _GNU_SOURCE\n${HEADERS.map(include).join('')}`;
  const kernelSource = KERNEL_HEADERS.map(include).join('');
  return new Map([
    ...evaluate(arch, source, macrosOf(arch, source, /^[A-Z][A-Z0-9_]*$/)),
    ...evaluate(arch, kernelSource, macrosOf(arch, kernelSource, KERNEL_NAMES)),
  ]);
}

function include(header: string): string {
  return `#if __has_include(<${header}.h>)\n#include <${header}.h>\n#endif\n`;
}

/**
 * The macros that are integer constants, as unsigned machine words. Each is printed by an assembler statement of its
 * own; those that the compiler complains of (types, strings, fragments of expressions) are left out.
 */
function evaluate(
  arch: ArchitectureName,
  source: string,
  macros: readonly string[],
): ReadonlyMap<string, bigint> {
  const sourceLines = source.split('\n').length - 1;
  let left = [...macros];
  for (;;) {
    const { status, stdout, stderr, command } = compile(
      arch,
      ['-S', '-fmax-errors=0', '-ftrack-macro-expansion=0', '-fno-diagnostics-show-caret'],
      `${source}void values(void) {\n${left.map(printStatement).join('')}}\n`,
    );
    if (status === 0) return printedValues(stdout);
    const faults = new Set(
      [...stderr.matchAll(/^<stdin>:(\d+):/gm)].map(([, line]) => Number(line) - sourceLines - 2),
    );
    const kept = left.filter((_, index) => !faults.has(index));
    if (kept.length === left.length) throw new Error(`${command} failed: ${stderr.slice(0, 500)}`);
    left = kept;
  }
}

/**
 * Integers only (GCC's class 1, and 3 for enumerations), and only those that a machine word holds. In two halves, since
 * x86_64 has no operand for a larger constant.
 */
function printStatement(macro: string): string {
  const integer = `__builtin_classify_type(${macro}) == 1 || __builtin_classify_type(${macro}) == 3`;
  const fits = `(unsigned long)(${macro}) == (${macro}) || (long)(${macro}) == (${macro})`;
  const low = `(int)(${macro})`;
  const high = `(int)((unsigned long long)(unsigned long)(${macro}) >> 32)`;
  const operands = [low, high, `(${integer}) && (${fits})`].map((value) => `"i"(${value})`);
  return `__asm__ volatile("@@ ${macro} %c0 %c1 %c2" :: ${operands.join(', ')});\n`;
}

function printedValues(assembly: string): ReadonlyMap<string, bigint> {
  const lines = assembly.matchAll(/@@ (\w+) (-?\d+) (-?\d+) 1$/gm);
  return new Map([...lines].map(([, name = '', low = '', high = '']) => [name, word(low, high)]));
}

function word(low: string, high: string): bigint {
  return (BigInt.asUintN(32, BigInt(high)) << 32n) | BigInt.asUintN(32, BigInt(low));
}
