import type { Declared, Window } from './traced-hal.js';

/** A system call as strace(1) saw it. */
export interface Seen {
  readonly name: string;
  readonly args: readonly bigint[];
  readonly result: bigint;
}

const MARK = 'getpriority';
const MAP_ANONYMOUS = 0x20n;
const WAITS = new Set(['epoll_wait', 'epoll_pwait']);
/** What the memory of V8 and malloc does at any moment. */
const MEMORY = new Set(['brk', 'futex', 'mprotect', 'mremap', 'sched_yield']);
const ADVICE_OF_MEMORY = new Set([4n, 8n, 10n]);

/** Reads the log of one thread, made with `-e raw=all`. Exits, and signals with what their handlers do, are left out. */
export function readLog(text: string): readonly Seen[] {
  const withoutSignals = text.replaceAll(/^--- SIG[\s\S]*?^rt_sigreturn.*$/gmu, '');
  return withoutSignals.split('\n').flatMap((line) => {
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (\S+)/u.exec(line) ?? [];
    if (name === undefined) return [];
    const words = (args ?? '').split(', ').filter((word) => /^(0x)?[0-9a-f]+$/u.test(word));
    const number = /^-?(0x)?[0-9a-f]+$/u.test(result ?? '') ? Number(result) : -1;
    return [{ name, args: words.map(BigInt), result: BigInt(number) }];
  });
}

/**
 * Leaves out what Node does at any moment: what is the memory's own (all mappings but those of files, and giving them
 * back), and waking an event loop, by an eventfd that it made before the first mark, for a task of V8's.
 */
function withoutNode(seen: readonly Seen[]): readonly Seen[] {
  const files = new Set<bigint>();
  const bells = new Set<bigint>();
  let isMarked = false;
  return seen.filter(({ name, args, result }) => {
    isMarked ||= name === MARK;
    if (!isMarked && name === 'eventfd2') bells.add(result);
    if (MEMORY.has(name)) return false;
    if (name === 'write') return !bells.has(args[0] ?? -1n);
    if (name === 'madvise') return !ADVICE_OF_MEMORY.has(args[2] ?? 0n);
    if (name === 'munmap') return files.delete(args[0] ?? 0n);
    if (name !== 'mmap' && name !== 'mmap2') return true;
    if (((args[3] ?? 0n) & MAP_ANONYMOUS) !== 0n) return false;
    files.add(result);
    return true;
  });
}

/** A log of one thread, cut up at its marks. */
export class MarkedLog {
  readonly #seen: readonly Seen[];
  readonly #marks = new Map<number, number>();

  constructor(text: string) {
    this.#seen = withoutNode(readLog(text));
    this.#seen.forEach(({ name, args }, index) => {
      if (name === MARK) this.#marks.set(Number(args[1]), index);
    });
  }

  /** What was seen in a window; undefined if its marks are not there. */
  within({ kind, mark }: Window): readonly Seen[] | undefined {
    const end = this.#marks.get(mark);
    if (end === undefined) return undefined;
    if (kind === 'call') {
      const start = this.#marks.get(mark - 1);
      return start === undefined ? undefined : this.#seen.slice(start + 1, end);
    }
    let start = end;
    while (start > 0 && !isEdge(this.#seen[start - 1])) start -= 1;
    return this.#seen.slice(start, end);
  }
}

function isEdge(seen: Seen | undefined): boolean {
  return seen === undefined || seen.name === MARK || WAITS.has(seen.name);
}

/** Whether what was seen is what is declared, neither more nor less, in this order. V8 may ask for its process at any moment. */
export function isAsDeclared(declared: readonly Declared[], seen: readonly Seen[]): boolean {
  const asksItself = declared.some(({ names }) => names.some(({ name }) => name === 'getpid'));
  return follows(declared, asksItself ? seen : seen.filter(({ name }) => name !== 'getpid'));
}

function follows(declared: readonly Declared[], seen: readonly Seen[]): boolean {
  const [next, ...rest] = declared;
  if (next === undefined) return seen.length === 0;
  if (next.times !== 'once' && follows(rest, seen)) return true;
  const [first, ...others] = seen;
  if (first === undefined || !isOne(next, first)) return false;
  return follows(next.times === 'any' ? declared : rest, others);
}

function isOne({ names }: Declared, seen: Seen): boolean {
  return names.some(
    ({ name, words }) =>
      name === seen.name &&
      words.every((word, index) => word === null || BigInt(word) === (seen.args[index] ?? 0n)),
  );
}

/** For messages. */
export function formatSeen(seen: readonly Seen[]): string {
  return seen
    .map(({ name, args }) => `${name}(${args.map((word) => `0x${word.toString(16)}`).join(', ')})`)
    .join(' ');
}
