import type { Architecture } from '../architecture.js';
import type { Atom, SyscallRules } from '../policy.js';

/** The arguments that choose what a syscall does, and how the names of their values begin. */
const SELECTORS: Readonly<Record<string, readonly [argument: number, prefix: string]>> = {
  madvise: [2, 'MADV_'],
  prctl: [0, 'PR_'],
  fcntl: [1, 'F_'],
  fcntl64: [1, 'F_'],
  mmap: [2, 'PROT_'],
  mmap2: [2, 'PROT_'],
  mprotect: [2, 'PROT_'],
  socket: [0, 'AF_'],
  ioctl: [1, ''],
  clone: [0, 'CLONE_'],
  tgkill: [2, 'SIG'],
  kill: [1, 'SIG'],
};

/** Values of these are made of bits. */
const FLAGS: ReadonlySet<string> = new Set(['PROT_', 'CLONE_']);

/** The argument that a rule for this syscall should look at, if one is known. */
export function selectorOf(name: string): number | undefined {
  return SELECTORS[name]?.[0];
}

function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('_') + 1);
}

function underscores(name: string): number {
  return name.split('_').length;
}

type Names = ReadonlyMap<bigint, string>;

const indexes = new WeakMap<Architecture, ReadonlyMap<string, Names>>();

/** The names of values, by how they begin. Of two for one value the simpler one: the other is an option's option. */
function namesOf(architecture: Architecture): ReadonlyMap<string, Names> {
  const known = indexes.get(architecture);
  if (known !== undefined) return known;
  const index = new Map<string, Map<bigint, string>>();
  for (const [name, value] of architecture.constants) {
    const prefix = name.startsWith('SIG') && !name.includes('_') ? 'SIG' : prefixOf(name);
    if (prefix === '') continue;
    const names = index.get(prefix) ?? new Map<bigint, string>();
    index.set(prefix, names);
    const other = names.get(value);
    if (other === undefined || underscores(name) < underscores(other)) names.set(value, name);
  }
  indexes.set(architecture, index);
  return index;
}

function flagNames(names: Names, value: bigint): string | undefined {
  const bits = [...names].filter(
    ([bit]) => bit !== 0n && (bit & (bit - 1n)) === 0n && (value & bit) !== 0n,
  );
  const all = bits.reduce((sum, [bit]) => sum | bit, 0n);
  if (all !== value || bits.length === 0) return undefined;
  return bits
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, name]) => name)
    .join('|');
}

/** A number as policies write it. */
export function formatNumber(value: bigint): string {
  return value < 10n ? `${value}` : `0x${value.toString(16)}`;
}

/** A value of an argument, by its name if it has one there. */
export function nameValue(
  architecture: Architecture,
  rules: Pick<SyscallRules, 'name'>,
  argument: number,
  value: bigint,
): string {
  const selector = SELECTORS[rules.name];
  if (selector?.[0] === argument) {
    const [, prefix] = selector;
    const names: Names = namesOf(architecture).get(prefix) ?? new Map();
    const name = names.get(value) ?? (FLAGS.has(prefix) ? flagNames(names, value) : undefined);
    if (name !== undefined) return name;
  }
  return formatNumber(value);
}

/** The argument of a call that chooses what it does, as policies write it; undefined if none is known to. */
export function chosenValue(
  architecture: Architecture,
  name: string,
  args: readonly bigint[],
): { readonly argument: number; readonly text: string } | undefined {
  const argument = selectorOf(name);
  const value = argument === undefined ? undefined : args[argument];
  if (argument === undefined || value === undefined) return undefined;
  return { argument, text: nameValue(architecture, { name }, argument, value) };
}

/** An atom as both dialects take it. */
export function formatAtom(architecture: Architecture, rules: SyscallRules, atom: Atom): string {
  const { argument, operator, value } = atom;
  const word = (1n << BigInt(architecture.wordBits)) - 1n;
  const complement = ~value & word;
  const isComplement = operator === 'in' && complement < value;
  const shown = nameValue(architecture, rules, argument, isComplement ? complement : value);
  const text = isComplement && shown.includes('|') ? `(${shown})` : shown;
  return `arg${argument} ${operator} ${isComplement ? '~' : ''}${text}`;
}
