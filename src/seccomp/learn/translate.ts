import { type Architecture, architectureOf } from '../architecture.js';
import { familyOf } from '../lint/syscall-families.js';
import { ARM_REGISTER_PAIRS, isPair } from '../tables/register-pairs.js';
import type { Observation, ObservedRun, ObservedValue } from './observation.js';

/** Seen syscalls as another architecture makes them. */
export interface TranslatedRun {
  readonly observations: readonly TranslatedObservation[];
  /** Syscalls for which the architecture has nothing. */
  readonly missing: readonly string[];
}

export interface TranslatedObservation {
  readonly name: string;
  readonly args: ReadonlyMap<number, ObservedValue>;
  readonly count: number;
}

/** Registers of one syscall to parameters of another; what others of a family have is not compared. */
const MOVED: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  'open openat': { 1: 2 },
  'access faccessat': { 1: 2 },
  'openat open': { 2: 1 },
  'lseek _llseek': { 2: 3 },
  '_llseek lseek': { 4: 2 },
  'mmap mmap2': { 2: 2, 3: 3 },
  'mmap2 mmap': { 2: 2, 3: 3 },
  'recvfrom recv': { 3: 3 },
  'sendto send': { 3: 3 },
  'recv recvfrom': { 3: 3 },
  'send sendto': { 3: 3 },
};

/** Wider twins take the same arguments: fcntl64, getuid32, futex_time64. */
const TWIN = /(?:64|32|_time64)$/u;

/**
 * What was seen on one architecture, said for another: syscalls by the names that do the same there, and constants by
 * name, since their values differ.
 */
export function translateRun(run: ObservedRun, target: Architecture): TranslatedRun {
  const observations: TranslatedObservation[] = [];
  const missing = new Set<string>();
  for (const observation of run.observations) {
    const { name } = observation;
    const source = observation.architecture ?? run.architecture;
    if (typeof name !== 'string') {
      const own = name[target.name];
      if (own === undefined) continue;
      if (target.syscalls.has(own)) observations.push({ ...observation, name: own });
      else missing.add(own);
    } else if (source === target.name) observations.push({ ...observation, name });
    else {
      const from = source === undefined ? target : architectureOf(source);
      const names = namesOn(target, name, from);
      if (names.length === 0) missing.add(name);
      for (const other of names) {
        const args = argumentsOn(observation, name, other, from, target);
        observations.push({ name: other, args, count: observation.count });
        const large = withLargeFiles(other, args, from, target);
        if (large !== undefined) observations.push({ name: other, args: large, count: 0 });
      }
    }
  }
  return { observations, missing: [...missing] };
}

/** C libraries for 32 bits open files with O_LARGEFILE, if they were built for large ones; 64-bit ones have no need to. */
function withLargeFiles(
  name: string,
  args: TranslatedObservation['args'],
  source: Architecture,
  target: Architecture,
): TranslatedObservation['args'] | undefined {
  if (source.wordBits !== 64 || target.wordBits !== 32) return undefined;
  const place = name === 'openat' ? 2 : name === 'open' ? 1 : undefined;
  const flags = place === undefined ? undefined : args.get(place);
  if (place === undefined || flags === undefined) return undefined;
  const isLarge = flags.text.split('|').includes('O_LARGEFILE');
  return isLarge
    ? undefined
    : new Map(args).set(place, { ...flags, text: `${flags.text}|O_LARGEFILE` });
}

/** What a C library calls there for it. */
function namesOn(target: Architecture, name: string, source: Architecture): readonly string[] {
  const wide = [`${name}64`, `${name}32`].find((twin) => target.syscalls.has(twin));
  const isNew = wide !== undefined && !source.syscalls.has(wide);
  // The times of a C library for 32 bits are of either size, so that both syscalls are made.
  const timed = [`${name}_time64`, ...(isNew && /time/u.test(name) ? [wide] : [])].filter((twin) =>
    target.syscalls.has(twin),
  );
  if (timed.length > 0 && target.syscalls.has(name)) return [name, ...timed];
  if (isNew) return [wide];
  if (name === 'lseek' && target.syscalls.has('_llseek')) return ['_llseek'];
  if (target.syscalls.has(name)) return [name];
  const [first] = familyOf(name).filter((member) => target.syscalls.has(member));
  const narrow = name.replace(TWIN, '');
  if (first !== undefined) return [first];
  return narrow !== name && target.syscalls.has(narrow) ? [narrow] : [];
}

function argumentsOn(
  { args }: Observation,
  name: string,
  other: string,
  source: Architecture,
  target: Architecture,
): ReadonlyMap<number, ObservedValue> {
  const isTwin = name.replace(TWIN, '') === other.replace(TWIN, '');
  const moved = MOVED[`${name} ${other}`];
  const result = new Map<number, ObservedValue>();
  for (const [place, value] of args) {
    const parameter = isTwin ? parameterOf(source, name, place) : moved?.[place];
    const found = parameter === undefined ? undefined : placeOf(target, other, parameter);
    if (found !== undefined) result.set(found, value);
  }
  return result;
}

/** Which parameter of the C function a register has; they differ where 64 bits take a pair of registers. */
function parameterOf(
  { name: arch }: Architecture,
  name: string,
  place: number,
): number | undefined {
  const parameters = arch === 'arm' ? ARM_REGISTER_PAIRS.get(name) : undefined;
  if (parameters === undefined) return place;
  const index = parameters.findIndex((each) => !isPair(each) && each.word === place);
  return index < 0 ? undefined : index;
}

function placeOf(
  { name: arch }: Architecture,
  name: string,
  parameter: number,
): number | undefined {
  const parameters = arch === 'arm' ? ARM_REGISTER_PAIRS.get(name) : undefined;
  if (parameters === undefined) return parameter;
  const found = parameters[parameter];
  return found === undefined || isPair(found) ? undefined : found.word;
}
