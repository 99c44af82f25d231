import type { Architecture } from '../architecture.js';
import type { Atom, Operator } from '../policy.js';
import { parseCConstant } from './c-constant.js';
import type { Findings } from './findings.js';
import { suggestName } from './nearest-name.js';
import type { Slice } from './slice.js';

const OPERATORS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', '&', 'in']);

/** strtol(3) with base 10: white space and a sign are taken. */
const INDEX = /^arg[ \t\n\v\f\r]*([+-]?[0-9]+)$/u;

/** Offsets are computed in 32 bits and an argument has 8 bytes, so indices repeat with this period. */
const INDEX_PERIOD = 2n ** 29n;

/** `argN OP CONST`, separated by spaces. Abandons the statement if it is none. */
export function parseCAtom(atom: Slice, architecture: Architecture, findings: Findings): Atom {
  const words = atom.words(' ');
  const [argument, operator, constant, extra] = words;
  if (argument === undefined) {
    return findings.abandon('empty-atom', {
      place: atom.place,
      message: 'a comparison is missing here',
      remedy: "write 'argN OPERATOR CONSTANT', as in 'arg1 == 4'",
    });
  }
  if (operator === undefined || constant === undefined) {
    return findings.abandon('incomplete-atom', {
      place: argument.upTo(operator ?? argument).place,
      message:
        operator === undefined ? 'operator and constant are missing' : 'the constant is missing',
      remedy: incompleteRemedy(atom.text),
    });
  }
  if (extra !== undefined) {
    findings.abandon('extra-token', {
      place: extra.place,
      message: `'${extra.text}' after the constant`,
      remedy: extra.text.startsWith('#')
        ? 'in this dialect a comment has a line of its own'
        : "join comparisons with '&&' or '||'; a constant has no spaces in it",
    });
  }
  const index = parseIndex(argument, architecture.wordBits, findings);
  if (!isOperator(operator.text)) {
    return findings.abandon('invalid-operator', {
      place: operator.place,
      message: `'${operator.text}' is no operator`,
      remedy: 'operators are == != < <= > >= & in',
    });
  }
  const value = parseCConstant(constant, architecture, findings);
  const { span } = argument.upTo(constant).place;
  return { argument: index, operator: operator.text, value, span };
}

function isOperator(text: string): text is Operator {
  return OPERATORS.has(text);
}

function incompleteRemedy(text: string): string {
  if (text.includes('\t')) return 'this dialect separates with spaces only, not with tabs';
  if (/^\s*arg\w+[=!<>&]/u.test(text)) return 'put spaces around the operator';
  const action = /^\s*(allow|kill|kill-process|kill-thread|trap|trace|log|user-notify)\b/u.exec(
    text,
  );
  if (action !== null) {
    return `this dialect has no action words: '1' allows, 'return' alone is the default action`;
  }
  if (/^\s*\{/u.test(text)) return 'this dialect has no braces: one rule a line';
  const near = suggestName(text.trim(), ['return', '1']);
  return near ?? "a rule is '1', 'return ERRNO', or comparisons like 'arg1 == 4'";
}

function parseIndex(argument: Slice, wordBits: 32 | 64, findings: Findings): number {
  if (!argument.text.startsWith('arg')) {
    findings.abandon('invalid-argument', {
      place: argument.place,
      message: `'${argument.text}' is no argument`,
      remedy: argument.line.text.includes('#')
        ? 'arguments are arg0 to arg5; in this dialect a comment has a line of its own'
        : 'arguments are arg0 to arg5',
    });
  }
  const digits = INDEX.exec(argument.text)?.[1];
  if (digits === undefined) {
    return findings.abandon('invalid-argument', {
      place: argument.place,
      message: `'${argument.text.slice(3)}' is no argument's number`,
      remedy: 'arguments are arg0 to arg5, separated by spaces from what follows',
    });
  }
  const index = wrapIndex(BigInt(digits), wordBits);
  if (index < 0 || index > 5) warnOfIndex(argument, index, findings);
  else if (BigInt(digits) !== BigInt(index)) {
    findings.warn('argument-wraps', {
      place: argument.place,
      message: `${argument.text} is so large that arg${index} is compared`,
      remedy: `write arg${index} if you mean it`,
    });
  }
  return index;
}

/**
 * Which argument is really loaded: strtol saturates at a word, the index becomes an int, and the offset wraps at 32 bits.
 * -1 is the instruction pointer, -2 the syscall's number and architecture.
 */
function wrapIndex(written: bigint, wordBits: 32 | 64): number {
  const half = 2n ** BigInt(wordBits - 1);
  const saturated = clamp(written, -half, half - 1n);
  const wrapped = ((saturated % INDEX_PERIOD) + INDEX_PERIOD) % INDEX_PERIOD;
  return Number(wrapped >= INDEX_PERIOD - 2n ? wrapped - INDEX_PERIOD : wrapped);
}

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low) return low;
  return value > high ? high : value;
}

function warnOfIndex(argument: Slice, index: number, findings: Findings): void {
  const remedy = 'arguments are arg0 to arg5';
  if (index === -1 || index === -2) {
    const what =
      index === -1 ? 'the instruction pointer' : 'the number and architecture of the syscall';
    findings.warn('argument-wraps', {
      place: argument.place,
      message: `${argument.text} compares ${what}`,
      remedy,
    });
    return;
  }
  findings.warn('argument-unloadable', {
    place: argument.place,
    message: `the kernel refuses a program that reads ${argument.text}`,
    remedy,
  });
}
