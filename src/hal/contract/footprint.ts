/** Architectures by the kernel's names. */
export type Architecture = 'x86_64' | 'aarch64' | 'arm';

type Told = string | number | bigint;

/**
 * An argument that is known without the hardware: a constant's name (several are joined by "|"), a number, or what the
 * call itself tells. Undefined means that this call does not tell it.
 */
export type KnownArgument<A> = Told | ((args: A, architecture: Architecture) => Told | undefined);

export type KnownArguments<A> = Readonly<Record<number, KnownArgument<A>>>;

/** `once`; `optional`: once or not at all; `any`: any number of times, also none. */
export type Times = 'once' | 'optional' | 'any';

/** One system call that the native side of a HAL call makes. */
export interface SyscallUse<A = never> {
  /** The name, or the name on each architecture where they differ (mmap and mmap2); not made where it has none. */
  readonly name: string | Readonly<Partial<Record<Architecture, string>>>;
  /**
   * What is known of its arguments, by their position in the prototype that 64-bit architectures have. Where 32-bit arm
   * puts them (register pairs, an offset in pages) is the reader's matter.
   */
  readonly args?: KnownArguments<A>;
  readonly times: Times;
  /** What another C library, or another version of it, makes in its place. */
  readonly instead: readonly SyscallUse<A>[];
  /** It is made once for each of these, which are known in addition; `times` then counts for each. */
  readonly each?: (args: A) => readonly Readonly<Record<number, number>>[];
}

/** What a call does to the kernel, in order; or `node`: it is Node's own code that makes system calls for it. */
export type Footprint<A> = readonly SyscallUse<A>[] | 'node';

export function syscall<A>(
  name: SyscallUse['name'],
  args?: KnownArguments<A>,
  more: Partial<Pick<SyscallUse<A>, 'times' | 'instead' | 'each'>> = {},
): SyscallUse<A> {
  return { name, ...(args === undefined ? {} : { args }), times: 'once', instead: [], ...more };
}

/** The name on an architecture; undefined if the call is not made there. */
export function nameOn(use: SyscallUse, architecture: Architecture): string | undefined {
  return typeof use.name === 'string' ? use.name : use.name[architecture];
}
