import type { Architecture } from '../architecture.js';
import type { Findings } from './findings.js';
import { wordFit, wordMask, wordRange } from './machine-word.js';
import type { Slice } from './slice.js';

/** strtol(3) with base 0 skips white space and takes a sign; a leading 0 alone means octal. */
const NUMBER = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/u;

/** An expression whose end is not reached yet: the whole constant, or the inside of a pair of parentheses. */
interface Level {
  readonly start: number;
  readonly end: number;
  /** Whether the result is complemented before it joins the level above. */
  readonly complemented: boolean;
  position: number;
  value: bigint;
}

/**
 * The value of a constant expression of the C dialect, as an unsigned machine word: terms joined by `|`, each a name, a
 * number or a constant in parentheses, after an optional `~`. A `|` at the end of terms is accepted, as there.
 * Abandons the statement if it is none.
 */
export function parseCConstant(
  constant: Slice,
  architecture: Architecture,
  findings: Findings,
): bigint {
  const mask = wordMask(architecture);
  const text = constant.text;
  const closings = matchParentheses(text);
  const levels: Level[] = [openLevel(0, text.length, false)];
  for (;;) {
    const level = levels.at(-1) as Level;
    if (level.position < level.end) {
      const complemented = text[level.position] === '~';
      if (complemented) level.position += 1;
      if (level.position < level.end && text[level.position] === '(') {
        levels.push(enterParentheses(constant, closings, level, complemented, findings));
        continue;
      }
      const term = takeTerm(constant, level);
      const value = parseTerm(term, architecture, findings);
      level.value |= complemented ? mask ^ value : value;
      continue;
    }
    if (level.start === level.end) {
      findings.abandon('empty-constant', {
        place: constant.part(level.start, level.end).placeAfter,
        message: 'no constant between the parentheses',
      });
    }
    levels.pop();
    const above = levels.at(-1);
    if (above === undefined) return level.value;
    above.value |= level.complemented ? mask ^ level.value : level.value;
    above.position = level.end + 1;
    passBar(constant, above, findings);
  }
}

function openLevel(start: number, end: number, complemented: boolean): Level {
  return { start, end, complemented, position: start, value: 0n };
}

function enterParentheses(
  constant: Slice,
  closings: ReadonlyMap<number, number>,
  level: Level,
  complemented: boolean,
  findings: Findings,
): Level {
  const closing = closings.get(level.position);
  if (closing === undefined) {
    findings.abandon('unclosed-parenthesis', {
      place: constant.part(level.position, level.position + 1).place,
      message: "this '(' is never closed",
      remedy: "add ')'; a constant of this dialect has no spaces in it",
    });
  }
  return openLevel(level.position + 1, closing, complemented);
}

/** Up to the next `|`, which is consumed, or the end of the level. */
function takeTerm(constant: Slice, level: Level): Slice {
  const bar = constant.text.indexOf('|', level.position);
  const end = bar < 0 || bar >= level.end ? level.end : bar;
  const term = constant.part(level.position, end);
  level.position = Math.min(end + 1, level.end);
  return term;
}

/** After a closing parenthesis there is nothing, or a `|` with something after it. */
function passBar(constant: Slice, level: Level, findings: Findings): void {
  if (level.position >= level.end) return;
  const rest = constant.part(level.position, level.end);
  if (!rest.text.startsWith('|')) {
    findings.abandon('invalid-constant', {
      place: rest.place,
      message: `'${rest.text}' after a closing parenthesis`,
      remedy: "join constants with '|'",
    });
  }
  level.position += 1;
  if (level.position === level.end) {
    findings.abandon('invalid-constant', {
      place: rest.place,
      message: "nothing after '|'",
      remedy: "remove the '|', or add a constant",
    });
  }
}

function parseTerm(term: Slice, architecture: Architecture, findings: Findings): bigint {
  const text = term.text;
  const named = architecture.constants.get(text);
  if (named !== undefined) return named;
  const number = NUMBER.exec(text);
  if (number === null) {
    return findings.abandon('invalid-constant', {
      place: text === '' ? term.placeAfter : term.place,
      message: text === '' ? 'a constant is missing' : `'${text}' is no constant`,
      remedy: constantRemedy(text, architecture, findings),
    });
  }
  const [, sign, digits = ''] = number;
  const isOctal = /^0[0-7]/u.test(digits);
  const magnitude = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  const fit = wordFit(value, architecture);
  if (fit !== 'fits') {
    findings.abandon(`constant-${fit}`, {
      place: term.place,
      message: `${text} does not fit into a machine word`,
      remedy: wordRange(architecture),
    });
  }
  return value & wordMask(architecture);
}

function constantRemedy(
  text: string,
  architecture: Architecture,
  findings: Findings,
): string | undefined {
  if (/^[+-]?0[0-9]+$/u.test(text))
    return 'a number that begins with 0 is octal: write it without the 0';
  if (/^[+-]?0[bB][01]+$/u.test(text))
    return 'binary numbers are not read: write it in hexadecimal';
  if (/^[0-9+-]/u.test(text))
    return 'numbers are decimal, 0x… or octal 0…, with nothing after them';
  if (text.startsWith('~')) return "one '~' at most, before a name, a number or '('";
  if (text === '') return undefined;
  return (
    findings.suggest('constant', text, architecture.constants.keys()) ??
    `${architecture.name} has no constant of this name; write its number`
  );
}

/** Offsets of closing parentheses by those of their openings. A closing one without an opening is a term's fault. */
function matchParentheses(text: string): ReadonlyMap<number, number> {
  const closings = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') open.push(at);
    if (text[at] !== ')') continue;
    const opening = open.pop();
    if (opening !== undefined) closings.set(opening, at);
  }
  return closings;
}
