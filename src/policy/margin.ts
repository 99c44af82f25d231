import type { MiB } from '../hal/contract/units.js';

/** The original reads a figure's file once, this many bytes at most (P1.9). */
export const FIGURE_FILE_BYTES = 32;

/** What makes a figure's file invalid. */
export type FigureFault = 'empty' | 'not-utf8' | 'not-a-number' | 'too-large';

export interface InvalidFigure {
  readonly status: 'invalid';
  readonly fault: FigureFault;
  /** Names the field that is wrong. */
  readonly reason: string;
}

export type AvailableReading =
  | {
      readonly status: 'read';
      readonly availableMiB: MiB;
      /** True if the content fills the read, so that its end, maybe inside a number, is missing. */
      readonly mayBeCut: boolean;
    }
  | InvalidFigure;

export type MarginReading =
  | {
      readonly status: 'read';
      /** The first value: the most critical one. */
      readonly marginMiB: MiB;
      readonly valuesMiB: readonly MiB[];
      /** True if the content fills the read, so that its end, maybe inside a number, is missing. */
      readonly mayBeCut: boolean;
    }
  | { readonly status: 'off' }
  | InvalidFigure;

const U64_MAX = 2n ** 64n - 1n;
// White space by Unicode, as the original trims and splits; JavaScript's own trim differs in two characters.
const SPACE = /\p{White_Space}+/u;

function decode(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

function invalid(fault: FigureFault, reason: string): InvalidFigure {
  return { status: 'invalid', fault, reason };
}

/**
 * A u64 as the original parses it: decimal digits, a plus sign allowed. Values above 2^53 - 1 MiB, which no machine has,
 * become 2^53 - 1.
 */
function parseU64(field: string): MiB | InvalidFigure {
  if (!/^\+?[0-9]+$/.test(field)) {
    return invalid('not-a-number', `${JSON.stringify(field)} is not a whole number`);
  }
  const value = BigInt(field.replace('+', ''));
  if (value > U64_MAX) {
    return invalid('too-large', `${JSON.stringify(field)} does not fit in 64 bits`);
  }
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

/** Fields between white space; [] for an empty file. */
function fieldsOf(content: Uint8Array): readonly string[] | InvalidFigure {
  const text = decode(content.subarray(0, FIGURE_FILE_BYTES));
  if (text === undefined) return invalid('not-utf8', 'the content is not UTF-8');
  return text.split(SPACE).filter((field) => field !== '');
}

function isInvalid(value: unknown): value is InvalidFigure {
  return typeof value === 'object' && value !== null && 'fault' in value;
}

/**
 * The margin file by rule P2: one or more numbers between white space, every one of them valid, the first counts; or the
 * word "off". Never throws.
 *
 * @param content one read of at most 32 bytes; what is longer is cut here.
 */
export function parseMargin(content: Uint8Array): MarginReading {
  const fields = fieldsOf(content);
  if (isInvalid(fields)) return fields;
  if (fields.length === 1 && fields[0] === 'off') return { status: 'off' };
  const valuesMiB: MiB[] = [];
  for (const field of fields) {
    const value = parseU64(field);
    if (isInvalid(value)) return value;
    valuesMiB.push(value);
  }
  const [marginMiB] = valuesMiB;
  if (marginMiB === undefined) return invalid('empty', 'the file is empty');
  return { status: 'read', marginMiB, valuesMiB, mayBeCut: content.length >= FIGURE_FILE_BYTES };
}

/**
 * The available file by rule P1.9: one number, white space around it allowed. Never throws.
 *
 * @param content one read of at most 32 bytes; what is longer is cut here.
 */
export function parseAvailable(content: Uint8Array): AvailableReading {
  const fields = fieldsOf(content);
  if (isInvalid(fields)) return fields;
  const [only, second] = fields;
  if (only === undefined) return invalid('empty', 'the file is empty');
  if (second !== undefined) return invalid('not-a-number', 'the file holds several fields');
  const value = parseU64(only);
  if (isInvalid(value)) return value;
  return {
    status: 'read',
    availableMiB: value,
    mayBeCut: content.length >= FIGURE_FILE_BYTES,
  };
}
