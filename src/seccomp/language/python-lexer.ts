import type { Place } from './diagnostic.js';
import type { Findings } from './findings.js';

export type TokenKind =
  | 'default'
  | 'include'
  | 'frequency'
  | 'denylist'
  | 'path'
  | 'number'
  | 'colon'
  | 'semicolon'
  | 'comma'
  | 'complement'
  | 'open-parenthesis'
  | 'close-parenthesis'
  | 'open-brace'
  | 'close-brace'
  | 'close-bracket'
  | 'open-bracket'
  | 'or'
  | 'and'
  | 'bar'
  | 'operator'
  | 'equal'
  | 'argument'
  | 'return'
  | 'action'
  | 'identifier';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly place: Place;
}

/** The tokens of physical lines joined at final backslashes; at least one. */
export interface Statement {
  readonly tokens: readonly Token[];
  /** Behind the last physical line. */
  readonly end: Place;
}

export interface Statements {
  readonly statements: readonly Statement[];
  /** What a backslash at the end of the file drops. */
  readonly dropped?: Statement;
}

/** What Python's `\s` matches, which is not what JavaScript's does. */
const SPACE = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
/** Python's `\b` knows letters and digits of all scripts. */
const WORD = String.raw`[\p{L}\p{N}_]`;
const EDGE = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;

const word = (...texts: readonly string[]) => `${EDGE}(?:${texts.join('|')})${EDGE}`;

/** In order of precedence: the first kind that matches is taken, not the longest. */
const KINDS: readonly (readonly [TokenKind | 'skipped', string])[] = [
  ['skipped', '#[^]*$'],
  ['skipped', `[${SPACE}]+`],
  ['skipped', String.raw`\\$`],
  ['default', `@default${EDGE}`],
  ['include', `@include${EDGE}`],
  ['frequency', `@frequency${EDGE}`],
  ['denylist', '@denylist$'],
  ['path', String.raw`\.?\/[^${SPACE}]+`],
  ['number', '-?0[xX][0-9a-fA-F]+|-?0[0-7]+|-?[0-9]+'],
  ['colon', ':'],
  ['semicolon', ';'],
  ['comma', ','],
  ['complement', '~'],
  ['open-parenthesis', String.raw`\(`],
  ['close-parenthesis', String.raw`\)`],
  ['open-brace', String.raw`\{`],
  ['close-brace', String.raw`\}`],
  ['close-bracket', String.raw`\]`],
  ['open-bracket', String.raw`\[`],
  ['or', String.raw`\|\|`],
  ['and', '&&'],
  ['bar', String.raw`\|`],
  ['operator', `&|${word('in')}|==|!=|<=|<|>=|>`],
  ['equal', '='],
  ['argument', word('arg[0-9]+')],
  ['return', word('return')],
  [
    'action',
    ['allow', 'kill-process', 'kill-thread', 'kill', 'trap', 'trace', 'log', 'user-notify']
      .map((text) => word(text))
      .join('|'),
  ],
  ['identifier', String.raw`[a-zA-Z_][a-zA-Z_0-9\-@]*`],
];

const TOKEN = new RegExp(KINDS.map(([, pattern]) => `(${pattern})`).join('|'), 'uy');

/** Splits a file into statements. Reports what is no token; such a statement is left out. */
export function lexPython(text: string, file: string, findings: Findings): Statements {
  const lines = text.split(/\r\n|\r|\n/u);
  if (lines.at(-1) === '') lines.pop();
  const statements: Statement[] = [];
  let tokens: Token[] = [];
  let isSound = true;
  let end: Place | undefined;
  lines.forEach((sourceLine, index) => {
    const line = new LineLexer(sourceLine, file, index + 1, findings);
    for (const token of line.tokens()) tokens.push(token);
    isSound &&= line.isSound;
    end = line.place(sourceLine.length, sourceLine.length + 1);
    if (sourceLine.endsWith('\\')) return;
    if (tokens.length > 0 && isSound) statements.push({ tokens, end });
    tokens = [];
    isSound = true;
    end = undefined;
  });
  return end === undefined || tokens.length === 0
    ? { statements }
    : { statements, dropped: { tokens, end } };
}

class LineLexer {
  readonly #text: string;
  readonly #file: string;
  readonly #line: number;
  readonly #findings: Findings;
  #isSound = true;

  constructor(text: string, file: string, line: number, findings: Findings) {
    this.#text = text;
    this.#file = file;
    this.#line = line;
    this.#findings = findings;
  }

  get isSound(): boolean {
    return this.#isSound;
  }

  *tokens(): Generator<Token> {
    let at = 0;
    while (at < this.#text.length) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(this.#text);
      if (match === null) {
        at = this.#skipInvalid(at);
        continue;
      }
      const [text] = match;
      const kind =
        KINDS[match.findIndex((group, index) => index > 0 && group !== undefined) - 1]?.[0];
      if (kind !== undefined && kind !== 'skipped') {
        yield { kind, text, place: this.place(at, at + text.length) };
      }
      at += text.length;
    }
  }

  place(start: number, end: number): Place {
    return {
      span: {
        file: this.#file,
        line: this.#line,
        column: start + 1,
        length: Math.max(1, end - start),
      },
      sourceLine: this.#text,
    };
  }

  /** Where the next token begins. */
  #skipInvalid(start: number): number {
    this.#isSound = false;
    let end = this.#after(start);
    while (end < this.#text.length) {
      TOKEN.lastIndex = end;
      if (TOKEN.test(this.#text)) break;
      end = this.#after(end);
    }
    const wrong = this.#text.slice(start, end);
    this.#findings.fault('invalid-token', {
      place: this.place(start, end),
      message: `'${wrong}' cannot stand here`,
      remedy: remedyFor(wrong, this.#text.slice(end)),
    });
    return end;
  }

  /** The offset behind a character, which may have two units. */
  #after(offset: number): number {
    return offset + ((this.#text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1);
  }
}

function remedyFor(wrong: string, rest: string): string | undefined {
  if (wrong === '\\') return 'a backslash joins lines only as the very last character of a line';
  if (wrong === '@') {
    return rest.startsWith('denylist')
      ? 'nothing may follow @denylist in its line, not even a space'
      : 'statements are @include, @frequency, @default and @denylist';
  }
  if (wrong.startsWith('.')) return "a path starts with '/' or './'";
  if (wrong === '!') return "'not equal' is '!='; there is no negation";
  return undefined;
}
