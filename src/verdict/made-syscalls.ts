import {
  type KnownArgument,
  nameOn,
  type SyscallUse,
  type Times,
} from '../hal/contract/footprint.js';
import type { Architecture } from '../seccomp/architecture.js';
import type { KnownWords } from '../seccomp/possible/possible-actions.js';
import { ARM_REGISTER_PAIRS, type ArmParameter, isPair } from '../seccomp/tables/register-pairs.js';

type Args = Readonly<Record<string, unknown>>;

/** A system call as a kernel of one architecture gets it, as far as that is known without one. */
export interface MadeSyscall {
  readonly name: string;
  readonly number: number;
  readonly words: KnownWords;
  /** `madvise(…, 0x1000, MADV_REMOVE)`: what is not known is an ellipsis. */
  readonly text: string;
  readonly times: Times;
  /** What may be made in its place. */
  readonly instead: readonly MadeSyscall[];
  /** How often it is made so by this call. */
  readonly count: number;
}

interface Word {
  readonly value: bigint | undefined;
  readonly text: string;
}

/** mmap2(2) counts its offset in these, whatever the size of a page. */
const MMAP2_UNIT = 4096n;

/**
 * What the native side of a call does on an architecture, in order.
 *
 * @param args the call's, as recorded.
 * @throws TypeError for a declaration that names a system call which the architecture does not have.
 */
export function madeSyscalls(
  footprint: readonly SyscallUse[],
  args: Args,
  architecture: Architecture,
): readonly MadeSyscall[] {
  return footprint.flatMap((use) => {
    if (nameOn(use, architecture.name) === undefined) return [];
    return counted(use.each?.(args as never) ?? ONCE).map(([known, count]) =>
      made(use, known, args, architecture, count),
    );
  });
}

type Known = Readonly<Record<number, number>>;
const ONCE: readonly Known[] = [{}];

/** Those that are the same, once, with their number: a list of pages has a thousand of one length. */
function counted(each: readonly Known[]): readonly (readonly [Known, number])[] {
  if (each.length === 1) return each.map((known) => [known, 1]);
  const counts = new Map<string, [Known, number]>();
  for (const known of each) {
    const key = Object.values(known).join();
    const found = counts.get(key);
    if (found === undefined) counts.set(key, [known, 1]);
    else found[1] += 1;
  }
  return [...counts.values()];
}

function made(
  use: SyscallUse,
  known: Known,
  args: Args,
  architecture: Architecture,
  count: number,
): MadeSyscall {
  const name = nameOn(use, architecture.name) ?? '';
  const number = architecture.syscalls.get(name);
  if (number === undefined) {
    throw new TypeError(`a footprint names ${name}, which ${architecture.name} does not have`);
  }
  const parameters = new Map<number, Word>();
  for (const [position, argument] of Object.entries({ ...use.args, ...known })) {
    parameters.set(Number(position), wordOf(argument, args, architecture));
  }
  const words =
    architecture.name === 'arm' ? onArm(name, number, parameters, architecture) : parameters;
  return {
    name,
    number,
    words: [0, 1, 2, 3, 4, 5].map((index) => inWord(words.get(index)?.value, architecture)),
    text: `${name}(${shown(words)})`,
    times: use.times,
    instead: use.instead
      .filter((other) => nameOn(other, architecture.name) !== undefined)
      .map((other) => made(other, known, args, architecture, count)),
    count,
  };
}

function wordOf(argument: KnownArgument<never>, args: Args, architecture: Architecture): Word {
  const told =
    typeof argument === 'function' ? argument(args as never, architecture.name) : argument;
  if (told === undefined) return { value: undefined, text: '…' };
  if (typeof told !== 'string') {
    const value = BigInt(told);
    return { value, text: `0x${value.toString(16)}` };
  }
  const values = told.split('|').map((name) => architecture.constants.get(name));
  const value = values.every((one) => one !== undefined)
    ? values.reduce((all, one) => (all ?? 0n) | (one ?? 0n), 0n)
    : undefined;
  return { value, text: told };
}

/** What does not fit a word fails before a kernel sees it: it is as good as not known. */
function inWord(value: bigint | undefined, { wordBits }: Architecture): bigint | undefined {
  return value !== undefined && value >> BigInt(wordBits) === 0n ? value : undefined;
}

/** Arguments of 64 bits take two registers there, the first of them an even one; and mmap2 has an offset in pages. */
function onArm(
  name: string,
  number: number,
  parameters: ReadonlyMap<number, Word>,
  architecture: Architecture,
): ReadonlyMap<number, Word> {
  const layout = ARM_REGISTER_PAIRS.get(architecture.syscallNames.get(number) ?? name);
  const words = new Map<number, Word>();
  for (const [position, word] of parameters) {
    const parameter = layout === undefined ? undefined : layout[placeOf(name, position)];
    for (const [index, placed] of placedWords(name, position, word, parameter)) {
      words.set(index, placed);
    }
  }
  return words;
}

/** lseek(2) has no result by pointer; _llseek has, before the last argument. */
function placeOf(name: string, position: number): number {
  return name === '_llseek' && position === 2 ? 3 : position;
}

function placedWords(
  name: string,
  position: number,
  word: Word,
  parameter: ArmParameter | undefined,
): readonly (readonly [number, Word])[] {
  if (name === 'mmap2' && position === 5 && word.value !== undefined) {
    const value = word.value / MMAP2_UNIT;
    return [[position, { value, text: `0x${value.toString(16)}` }]];
  }
  if (parameter === undefined) return [[position, word]];
  if (!isPair(parameter)) return [[parameter.word, word]];
  if (word.value === undefined) return [];
  return [
    [parameter.low, half(word.value & 0xffff_ffffn)],
    [parameter.high, half(word.value >> 32n)],
  ];
}

function half(value: bigint): Word {
  return { value, text: `0x${value.toString(16)}` };
}

function shown(words: ReadonlyMap<number, Word>): string {
  const known = [...words].filter(([, { value, text }]) => value !== undefined || text !== '…');
  const last = Math.max(-1, ...known.map(([index]) => index));
  if (last === -1) return '…';
  return Array.from({ length: last + 1 }, (_, index) => words.get(index)?.text ?? '…').join(', ');
}
