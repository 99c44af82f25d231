import type { Architecture } from '../src/seccomp/architecture.js';

/** An argument that says what a system call is asked for, and the constants that it is made of. */
interface Telling {
  readonly position: number;
  /** One of these … */
  readonly oneOf?: readonly string[];
  /** … or these bits, or the first if none is set. */
  readonly bits?: readonly string[];
}

const PROTECTION: Telling = {
  position: 2,
  bits: ['PROT_NONE', 'PROT_READ', 'PROT_WRITE', 'PROT_EXEC'],
};
const OPEN_FLAGS = [
  'O_RDONLY',
  'O_WRONLY',
  'O_RDWR',
  'O_CREAT',
  'O_TRUNC',
  'O_CLOEXEC',
  'O_NONBLOCK',
];
const COMMANDS = [
  'F_DUPFD_CLOEXEC',
  'F_GETFD',
  'F_SETFD',
  'F_GETFL',
  'F_SETFL',
  'F_GET_SEALS',
  'F_ADD_SEALS',
];

/** Other arguments are addresses, descriptors and lengths: they tell nothing. */
const SHAPES: Readonly<Record<string, readonly Telling[]>> = {
  mmap: [PROTECTION],
  mmap2: [PROTECTION],
  mprotect: [PROTECTION],
  madvise: [
    {
      position: 2,
      oneOf: [
        'MADV_DONTNEED',
        'MADV_REMOVE',
        'MADV_DONTFORK',
        'MADV_FREE',
        'MADV_HUGEPAGE',
        'MADV_NOHUGEPAGE',
      ],
    },
  ],
  fcntl: [{ position: 1, oneOf: COMMANDS }],
  fcntl64: [{ position: 1, oneOf: COMMANDS }],
  ioctl: [{ position: 1, oneOf: ['FIONBIO', 'TCGETS', 'TCSETS', 'FIOCLEX'] }],
  openat: [{ position: 2, bits: OPEN_FLAGS }],
  open: [{ position: 1, bits: OPEN_FLAGS }],
  newfstatat: [{ position: 3, oneOf: ['AT_EMPTY_PATH'] }],
  epoll_ctl: [{ position: 1, oneOf: ['EPOLL_CTL_ADD', 'EPOLL_CTL_DEL', 'EPOLL_CTL_MOD'] }],
  tgkill: [{ position: 2, oneOf: ['SIGABRT', 'SIGSEGV'] }],
};

/** The telling arguments of a system call, by their constants' names; as numbers where no name fits. */
export function namedArguments(
  name: string,
  words: readonly (bigint | undefined)[],
  { constants }: Architecture,
): Readonly<Record<string, string | number>> {
  const named = (SHAPES[name] ?? []).flatMap(({ position, oneOf = [], bits = [] }) => {
    const word = words[position];
    if (word === undefined) return [];
    const one = oneOf.find((each) => constants.get(each) === word);
    return [[position, one ?? joined(word, bits, constants) ?? Number(word)] as const];
  });
  return Object.fromEntries(named);
}

function joined(
  word: bigint,
  bits: readonly string[],
  constants: ReadonlyMap<string, bigint>,
): string | undefined {
  const [none, ...rest] = bits;
  if (none === undefined) return undefined;
  const set = rest.filter((name) => (word & (constants.get(name) ?? 0n)) !== 0n);
  const value = set.reduce((all, name) => all | (constants.get(name) ?? 0n), 0n);
  if (value !== word) return undefined;
  // Access modes are numbers, no bits: O_RDONLY is 0 and stands with others.
  const isRead =
    none === 'O_RDONLY' && !set.some((name) => name === 'O_WRONLY' || name === 'O_RDWR');
  return set.length === 0 || isRead ? [none, ...set].join('|') : set.join('|');
}
