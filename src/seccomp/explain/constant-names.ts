import type { Architecture } from '../architecture.js';
import type { Atom, Operator, SyscallRules } from '../policy.js';

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

const BOUNDS: ReadonlySet<Operator> = new Set(['<', '<=', '>', '>=']);

function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('_') + 1);
}

/** How the names of an argument's values begin, by what is known of the syscall and by the values in its rules. */
function prefixesOf(architecture: Architecture, rules: SyscallRules, argument: number): string[] {
  const selector = SELECTORS[rules.name];
  if (selector?.[0] === argument && selector[1] !== '') return [selector[1]];
  const atoms = rules.filters.flatMap(({ clauses }) => clauses.flat());
  const chosen = atoms.filter((atom) => atom.argument === argument && !BOUNDS.has(atom.operator));
  const values = new Set(chosen.map(({ value }) => value));
  // One value alone may have any name.
  if (values.size < 2) return [];
  const counts = new Map<string, number>();
  for (const [name, value] of architecture.constants) {
    const prefix = prefixOf(name);
    if (prefix !== '' && values.has(value)) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  // A beginning that only some of the values have is a coincidence.
  return [...counts].filter(([, count]) => count >= values.size).map(([prefix]) => prefix);
}

function flagNames(architecture: Architecture, prefix: string, value: bigint): string | undefined {
  const names = new Map<bigint, string>();
  let left = value;
  for (const [name, bit] of architecture.constants) {
    const isBit = bit !== 0n && (bit & (bit - 1n)) === 0n;
    if (!isBit || !name.startsWith(prefix) || (left & bit) === 0n) continue;
    names.set(bit, name);
    left &= ~bit;
  }
  if (left !== 0n || names.size === 0) return undefined;
  return [...names]
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
  rules: SyscallRules,
  argument: number,
  value: bigint,
): string {
  for (const prefix of prefixesOf(architecture, rules, argument)) {
    for (const [name, constant] of architecture.constants) {
      if (constant === value && name.startsWith(prefix)) return name;
    }
    const flags = FLAGS.has(prefix) ? flagNames(architecture, prefix, value) : undefined;
    if (flags !== undefined) return flags;
  }
  return formatNumber(value);
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
