import type { SourceSpan } from '../policy.js';
import type { Place, PolicyFaultCode } from './diagnostic.js';
import type { Findings } from './findings.js';
import type { Statement, Token, TokenKind } from './python-lexer.js';

/** Reads the tokens of one statement from left to right. */
export class TokenCursor {
  readonly #statement: Statement;
  readonly #findings: Findings;
  #position = 0;

  constructor(statement: Statement, findings: Findings) {
    this.#statement = statement;
    this.#findings = findings;
  }

  get findings(): Findings {
    return this.#findings;
  }

  /** The next token, which is not consumed. */
  get next(): Token | undefined {
    return this.#statement.tokens[this.#position];
  }

  /** Where the next token stands, or behind the statement. */
  get place(): Place {
    return this.next?.place ?? this.#statement.end;
  }

  /** From a place to the last consumed token; to the end of the first one if that is in another line. */
  spanFrom({ span }: Place): SourceSpan {
    const last = this.#statement.tokens[this.#position - 1]?.place.span;
    if (last === undefined || last.line !== span.line || last.column < span.column) return span;
    return { ...span, length: last.column + last.length - span.column };
  }

  isAt(kind: TokenKind): boolean {
    return this.next?.kind === kind;
  }

  /** Consumes the next token if it is of this kind. */
  accept(kind: TokenKind): Token | undefined {
    const token = this.next;
    if (token?.kind !== kind) return undefined;
    this.#position += 1;
    return token;
  }

  /** Consumes any token. */
  take(): Token | undefined {
    const token = this.next;
    if (token !== undefined) this.#position += 1;
    return token;
  }

  /** Consumes a token of this kind, or abandons the statement: `what` is missing or wrong. */
  expect(kind: TokenKind, code: PolicyFaultCode, what: string, remedy?: string): Token {
    const token = this.accept(kind);
    if (token !== undefined) return token;
    return this.refuse(code, what, remedy);
  }

  /** Abandons the statement at the next token, or at its end. */
  refuse(code: PolicyFaultCode, what: string, remedy?: string): never {
    const token = this.next;
    const message =
      token === undefined ? `${what} is missing` : `'${token.text}' instead of ${what}`;
    return this.#findings.abandon(code, { place: this.place, message, remedy });
  }
}
