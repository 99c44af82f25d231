import type { Architecture } from '../architecture.js';
import { wordFit, wordMask, wordRange } from './machine-word.js';
import type { Token } from './python-lexer.js';
import type { TokenCursor } from './token-cursor.js';

/** Deeper parentheses overflow the stack of minijail's compiler (Python 3.11, its default recursion limit). */
export const PARENTHESIS_LIMIT = 488;

/** Constants joined by `|`, as an unsigned machine word. Abandons the statement if there is none. */
export function parsePythonValue(
  cursor: TokenCursor,
  architecture: Architecture,
  depth = 0,
): bigint {
  let value = parseTerm(cursor, architecture, depth);
  while (cursor.accept('bar') !== undefined) value |= parseTerm(cursor, architecture, depth);
  return value;
}

function parseTerm(cursor: TokenCursor, architecture: Architecture, depth: number): bigint {
  if (cursor.accept('complement') === undefined) return parseOperand(cursor, architecture, depth);
  if (cursor.isAt('complement')) {
    cursor.refuse('double-complement', "a constant after '~'", "remove both '~'");
  }
  return wordMask(architecture) ^ parseOperand(cursor, architecture, depth);
}

function parseOperand(cursor: TokenCursor, architecture: Architecture, depth: number): bigint {
  const opening = cursor.accept('open-parenthesis');
  if (opening === undefined) return parseSingleConstant(cursor, architecture);
  if (depth === PARENTHESIS_LIMIT) {
    cursor.findings.abandon('nesting-too-deep', {
      place: opening.place,
      message: `more than ${PARENTHESIS_LIMIT} parentheses in each other`,
      remedy: 'remove the ones that change nothing',
    });
  }
  const value = parsePythonValue(cursor, architecture, depth + 1);
  if (cursor.accept('close-parenthesis') === undefined) {
    cursor.findings.abandon('unclosed-parenthesis', {
      place: opening.place,
      message: "this '(' is not closed",
      remedy: "add ')'",
    });
  }
  return value;
}

/** A name or a number, as an unsigned machine word. */
export function parseSingleConstant(cursor: TokenCursor, architecture: Architecture): bigint {
  const token = cursor.accept('number') ?? cursor.accept('identifier');
  if (token === undefined) return cursor.refuse('invalid-constant', 'a constant');
  if (token.kind === 'number') return parseNumber(token, cursor, architecture);
  const value = architecture.constants.get(token.text);
  if (value !== undefined) return value;
  return cursor.findings.abandon('invalid-constant', {
    place: token.place,
    message: `${architecture.name} has no constant '${token.text}'`,
    remedy:
      cursor.findings.suggest('constant', token.text, architecture.constants.keys()) ??
      'write its number',
  });
}

function parseNumber(token: Token, cursor: TokenCursor, architecture: Architecture): bigint {
  const value = numberOf(token.text);
  const fit = wordFit(value, architecture);
  if (fit !== 'fits') {
    cursor.findings.abandon(`constant-${fit}`, {
      place: token.place,
      message: `${token.text} does not fit into a machine word`,
      remedy: wordRange(architecture),
    });
  }
  return value & wordMask(architecture);
}

/** Octal after a 0, unless there is a digit that is not: `08` is 8. */
function numberOf(text: string): bigint {
  const isNegative = text.startsWith('-');
  const digits = isNegative ? text.slice(1) : text;
  const magnitude = BigInt(/^0[0-7]+$/u.test(digits) ? `0o${digits}` : digits);
  return isNegative ? -magnitude : magnitude;
}
