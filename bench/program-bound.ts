import { compilePolicy } from '../src/seccomp/compile/compile.js';
import type { Policy } from '../src/seccomp/policy.js';
import { type AllowedSyscall, executed } from './allowed-syscalls.js';
import { comparisonBound, type Item } from './comparison-bound.js';

/** Comparisons of the number in the best tree, a syscall: only what is allowed has a weight. */
function dispatchBound(syscalls: readonly AllowedSyscall[]): number {
  const items: Item[] = [];
  const gap = { isSingle: false, target: 'refused', weight: 0 };
  let next = 0;
  let total = 0;
  for (const { number, weight, isFiltered } of syscalls.toSorted((a, b) => a.number - b.number)) {
    if (number !== next) items.push(gap);
    items.push({ isSingle: true, target: isFiltered ? `rules ${number}` : 'allowed', weight });
    next = number + 1;
    total += weight;
  }
  return comparisonBound([...items, gap]) / total;
}

/** Instructions after the number has been found, a syscall: the rules and the return. */
function behindDispatch(policy: Policy, syscalls: readonly AllowedSyscall[]): number {
  let sum = 0;
  let total = 0;
  for (const syscall of syscalls) {
    const rules = policy.syscalls.get(syscall.number);
    if (rules === undefined) continue;
    const alone = { ...policy, syscalls: new Map([[syscall.number, rules]]) };
    // Architecture, its test, the number, its test.
    const own = executed(compilePolicy(alone), [syscall], () => 1) - 4;
    sum += own * syscall.weight;
    total += syscall.weight;
  }
  return sum / total;
}

/**
 * What an allowed syscall executes, by weight, if the tree of comparisons that finds its number is the best there is. What
 * follows the number is what this compiler makes of the syscall's rules alone.
 */
export function programBound(policy: Policy, syscalls: readonly AllowedSyscall[]): number {
  // Load and test of the architecture, load of the number.
  return 3 + dispatchBound(syscalls) + behindDispatch(policy, syscalls);
}
