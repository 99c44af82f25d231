import type { Architecture } from '../../src/seccomp/architecture.js';
import type { Policy } from '../../src/seccomp/policy.js';

/** Frequencies by name, as they were counted on x86_64. */
export type CountedFrequencies = ReadonlyMap<string, number>;

/** What 32-bit arm calls instead, as the C library does; 64-bit architectures have none of these. */
const OF_32_BITS: ReadonlyMap<string, string> = new Map([
  ['fcntl', 'fcntl64'],
  ['ftruncate', 'ftruncate64'],
  ['lseek', '_llseek'],
  ['mmap', 'mmap2'],
]);

/** What is called where the policy has no rules for the name that was counted. */
const NEWER: ReadonlyMap<string, string> = new Map([
  ['dup2', 'dup3'],
  ['epoll_wait', 'epoll_pwait'],
  ['poll', 'ppoll'],
  ['readlink', 'readlinkat'],
]);

/** Lines of `NAME: NUMBER`. */
export function parseFrequencies(text: string): CountedFrequencies {
  return new Map(
    [...text.matchAll(/^(\w+): *(\d+)$/gm)].map(([, name, count]) => [name ?? '', Number(count)]),
  );
}

/** How often each syscall of a policy is made, by number; one that is missing counts 1. */
export function weightsFor(policy: Policy, frequencies: CountedFrequencies): Map<number, number> {
  const { syscalls } = policy.architecture;
  const weights = new Map<number, number>();
  for (const [name, count] of frequencies) {
    const names = [OF_32_BITS.get(name), name, NEWER.get(name)];
    const number = names
      .map((each) => syscalls.get(each ?? ''))
      .find((each) => each !== undefined && policy.syscalls.has(each));
    if (number !== undefined) weights.set(number, (weights.get(number) ?? 0) + count);
  }
  return weights;
}

/** Weights as a frequency file of the Python dialect. */
export function frequencyFile(
  weights: ReadonlyMap<number, number>,
  { syscallNames }: Architecture,
): string {
  return [...weights].map(([number, count]) => `${syscallNames.get(number)}: ${count}\n`).join('');
}
