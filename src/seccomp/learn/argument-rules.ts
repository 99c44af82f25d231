import type { Architecture } from '../architecture.js';
import { argumentValue } from '../word-text.js';
import type { TranslatedObservation } from './translate.js';

/** So many sets of values are listed one by one; more become masks, or no rule. */
const LISTED = 8;

interface KnownValue {
  readonly text: string;
  readonly value: bigint;
}

/**
 * The expression that allows what was seen of one syscall: sets of values one by one while they are few, then masks
 * (`in`) for arguments made of flags and lists for one other, then nothing but `1`. Arguments count that choose what the
 * syscall does, and whose values are all known.
 */
export function expressionFor(
  observations: readonly TranslatedObservation[],
  architecture: Architecture,
): string {
  const places = choosingPlaces(observations);
  const columns = new Map<number, readonly KnownValue[]>();
  for (const place of places) {
    const values = observations.map(({ args }) => known(args.get(place)?.text, architecture));
    if (values.every((value) => value !== undefined)) columns.set(place, values);
  }
  if (columns.size === 0) return '1';
  const tuples = new Map<string, string>();
  observations.forEach((_, row) => {
    const atoms = [...columns].map(([place, values]) => equals(place, values[row] as KnownValue));
    const key = [...columns.values()].map((values) => values[row]?.value).join();
    if (!tuples.has(key)) tuples.set(key, atoms.join(' && '));
  });
  return tuples.size <= LISTED ? [...tuples.values()].join(' || ') : widened(columns);
}

/** Places that have something in all observations, and a constant's name in one. */
function choosingPlaces(observations: readonly TranslatedObservation[]): readonly number[] {
  return [0, 1, 2, 3, 4, 5].filter(
    (place) =>
      observations.every(({ args }) => args.has(place)) &&
      observations.some(({ args }) => args.get(place)?.chooses === true),
  );
}

/**
 * Values of 31 bits: an int with its highest bit set arrives with or without its sign in the upper word, as the program
 * was compiled. Numbers of ioctl are unsigned, and have 32.
 */
function known(text: string | undefined, architecture: Architecture): KnownValue | undefined {
  const value = text === undefined ? undefined : argumentValue(text, architecture.constants);
  if (text === undefined || value === undefined || value > 0xffffffffn) return undefined;
  return { text, value };
}

function equals(place: number, { text }: KnownValue): string {
  return `arg${place} == ${text}`;
}

type Columns = ReadonlyMap<number, readonly KnownValue[]>;

function distinct(values: readonly KnownValue[]): readonly KnownValue[] {
  return [...new Map(values.map((each) => [each.value, each])).values()];
}

/**
 * The argument with the fewest values is listed, and for each of its values the others are as narrow as masks can say:
 * so what is mapped writable and what is mapped executable stay apart.
 */
function widened(columns: Columns): string {
  const [lead] = [...columns]
    .map(([place, values]) => ({ place, values, choices: distinct(values) }))
    .filter(({ choices }) => choices.length > 1 && choices.length <= LISTED)
    .toSorted((left, right) => left.choices.length - right.choices.length);
  if (lead === undefined) return clauseFor(columns).join(' && ') || '1';
  const clauses = lead.choices.map((choice) => {
    const rest = new Map<number, readonly KnownValue[]>();
    for (const [place, values] of columns) {
      if (place === lead.place) continue;
      const rows = values.filter((_, row) => lead.values[row]?.value === choice.value);
      rest.set(place, rows);
    }
    return [equals(lead.place, choice), ...clauseFor(rest)].join(' && ');
  });
  return clauses.join(' || ');
}

/** An atom for each argument that has one value, or is made of flags. */
function clauseFor(columns: Columns): readonly string[] {
  return [...columns].flatMap(([place, values]) => {
    const choices = distinct(values);
    const [first] = choices;
    if (choices.length === 1 && first !== undefined) return [equals(place, first)];
    return choices.some(({ text }) => text.includes('|')) ? [mask(place, choices)] : [];
  });
}

/** Constants that are 0, such as PROT_NONE, add nothing to it. */
function mask(place: number, values: readonly KnownValue[]): string {
  const terms = values.filter(({ value }) => value !== 0n).flatMap(({ text }) => text.split('|'));
  return `arg${place} in ${[...new Set(terms)].join('|')}`;
}
