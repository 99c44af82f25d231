import type { Architecture } from '../architecture.js';
import { ARM_REGISTER_PAIRS, isPair } from '../tables/register-pairs.js';
import {
  LearnInputError,
  ObservationTally,
  type ObservedRun,
  type ObservedValue,
} from './observation.js';
import { parseStraceLine, splitArguments } from './strace-syntax.js';

/** Lines of it that are quoted at most. */
const REMARK_LIMIT = 5;

/**
 * The syscalls of a log of strace, its own process and all that it followed. Constants are taken by their names, so that
 * they can be had on other architectures.
 *
 * @throws LearnInputError if there is no call in it
 */
export function parseStraceLog(text: string, architecture: Architecture): ObservedRun {
  const tally = new ObservationTally();
  const unfinished = new Map<string, string>();
  const remarks: string[] = [];
  let calls = 0;
  const remark = (line: number, what: string) => {
    if (remarks.length < REMARK_LIMIT) remarks.push(`line ${line}: ${what}`);
  };
  text.split(/\r?\n/u).forEach((entry, index) => {
    const { process, line } = parseStraceLine(entry);
    if (line.kind === 'event') return;
    if (line.kind === 'other') {
      remark(index + 1, `not understood: ${entry.slice(0, 80)}`);
      return;
    }
    const key = `${process} ${line.name}`;
    if (line.kind === 'unfinished') {
      unfinished.set(key, line.args);
      return;
    }
    const before = line.kind === 'resumed' ? (unfinished.get(key) ?? '') : '';
    unfinished.delete(key);
    calls += 1;
    const name = nameOf(line.name, architecture);
    if (name === undefined) {
      remark(index + 1, `${architecture.name} has no syscall ${line.name}`);
      return;
    }
    tally.add(name, argumentsOf(name, `${before}${line.args}`, architecture));
  });
  // Calls that never came back were made all the same.
  for (const [key, args] of unfinished) {
    const name = nameOf(key.slice(key.indexOf(' ') + 1), architecture);
    if (name !== undefined) tally.add(name, argumentsOf(name, args, architecture));
    calls += 1;
  }
  if (calls === 0) throw new LearnInputError('there is no line of strace in it: NAME(…) = …');
  return { observations: tally.observations, architecture: architecture.name, remarks };
}

/** strace writes `syscall_0x1c2` for numbers that it does not know. */
function nameOf(name: string, { syscalls, syscallNames }: Architecture): string | undefined {
  if (syscalls.has(name)) return name;
  const number = /^syscall_(0x[0-9a-f]+|\d+)$/u.exec(name)?.[1];
  return number === undefined ? undefined : syscallNames.get(Number(number));
}

/** Where strace leaves out or reorders arguments: its place to the kernel's. What is missing is not used. */
const PLACES: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  futex: { 1: 1 },
  futex_time64: { 1: 1 },
  // The offset is one argument for strace and two for the kernel, on all architectures.
  preadv2: { 4: 5 },
  pwritev2: { 4: 5 },
};

function argumentsOf(
  name: string,
  text: string,
  architecture: Architecture,
): ReadonlyMap<number, ObservedValue> {
  const args = new Map<number, ObservedValue>();
  splitArguments(text).forEach((part, index) => {
    const named = /^(flags)=(.*)$/su.exec(part);
    // clone(child_stack=…, flags=…): by name, because the kernel's order differs between architectures.
    const place = named === null ? placeOf(name, index, architecture) : 0;
    if (/^\w+=/u.test(part) && named === null) return;
    const value = observedValue(named?.[2] ?? part);
    if (place !== undefined && value !== undefined) args.set(place, value);
  });
  return args;
}

function placeOf(name: string, index: number, architecture: Architecture): number | undefined {
  const places = PLACES[name];
  if (places !== undefined) return places[index];
  if (name === 'clone') return undefined;
  return architecture.name === 'arm' ? armPlace(name, index) : index;
}

/** strace prints a pair of registers as one number. */
function armPlace(name: string, index: number): number | undefined {
  const parameters = ARM_REGISTER_PAIRS.get(name);
  if (parameters === undefined) return index;
  const parameter = parameters[index];
  return parameter === undefined || isPair(parameter) ? undefined : parameter.word;
}

const TERM = /^(?:[A-Z][A-Za-z0-9_]*|0x[0-9a-f]+|\d+(?:<<\d+)?)$/u;
const IOC = /^_IOC\(([A-Z_|0]+), (0x[0-9a-f]+|\d+), (0x[0-9a-f]+|\d+), (0x[0-9a-f]+|\d+)\)$/u;

/** A number or constants; undefined for pointers, texts, structures and what is negative. */
function observedValue(text: string): ObservedValue | undefined {
  // `0x7 /* MADV_??? */`: a number where there are names, as a rule.
  const isNumberForName = /\/\*.*\?\?\?.*\*\//su.test(text);
  const bare = text
    .replace(/\/\*.*?\*\//gsu, '')
    .trim()
    // One number with several meanings, as of ioctl.
    .split(' or ')[0] as string;
  const ioc = IOC.exec(bare);
  if (ioc !== null) return { text: iocNumber(ioc), chooses: true };
  if (bare === 'NULL' || bare === 'AT_FDCWD') return undefined;
  const terms = bare.split('|');
  if (!terms.every((term) => TERM.test(term))) return undefined;
  const isNamed = terms.some((term) => /^[A-Z]/u.test(term));
  return { text: terms.map(plainTerm).join('|'), chooses: isNumberForName || isNamed };
}

/** Numbers as both dialects read them: they do not agree on octal ones, and have no shifts. */
function plainTerm(term: string): string {
  const shift = /^(\d+)<<(\d+)$/u.exec(term);
  if (shift !== null) return `0x${(BigInt(shift[1] ?? 0) << BigInt(shift[2] ?? 0)).toString(16)}`;
  return /^0[0-7]+$/u.test(term) ? `0x${Number.parseInt(term, 8).toString(16)}` : term;
}

/** include/uapi/asm-generic/ioctl.h: direction in bits 30 and 31, size in 16 to 29, type in 8 to 15, number below. */
function iocNumber([, direction = '', type, number, size]: readonly (
  | string
  | undefined
)[]): string {
  const write = direction.includes('_IOC_WRITE') ? 1 : 0;
  const read = direction.includes('_IOC_READ') ? 2 : 0;
  const low = (Number(size) << 16) | (Number(type) << 8) | Number(number);
  return `0x${(((write | read) * 0x40000000 + low) >>> 0).toString(16)}`;
}
