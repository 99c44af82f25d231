import {
  type DocumentPosition,
  LineTable,
  type TestDocument,
  TestFileError,
} from './test-document.js';

/** Deeper documents are no test files. */
const DEPTH_LIMIT = 64;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/uy;
const SPACE = /[ \t\r\n]*/uy;

/**
 * JSON (RFC 8259), parsed here and not by JSON.parse for two reasons: a fault has its place, and a whole number of
 * 64 bits keeps all of its digits.
 *
 * @throws TestFileError at the first fault
 */
export function parseJsonDocument(text: string, file: string): TestDocument {
  return new JsonParser(text, file).parse();
}

class JsonParser {
  readonly #text: string;
  readonly #file: string;
  readonly #offsets = new WeakMap<object, number>();
  readonly #fields = new WeakMap<object, Map<string | number, number>>();
  #lines: LineTable | undefined;
  #at = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  parse(): TestDocument {
    if (this.#text.startsWith('\ufeff')) this.#at = 1;
    this.#skipSpace();
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#refuse('expected the end of the file');
    return { value, positionOf: (container, field) => this.#positionOf(container, field) };
  }

  #positionOf(container: object, field: string | number | undefined): DocumentPosition {
    const own = field === undefined ? undefined : this.#fields.get(container)?.get(field);
    return this.#position(own ?? this.#offsets.get(container) ?? 0);
  }

  #position(offset: number): DocumentPosition {
    this.#lines ??= new LineTable(this.#text);
    return this.#lines.positionOf(offset);
  }

  #refuse(reason: string, offset = this.#at): never {
    const found = offset < this.#text.length ? '' : ', and the file ends here';
    throw new TestFileError(this.#file, this.#position(offset), `not JSON: ${reason}${found}`);
  }

  #value(depth: number): unknown {
    if (depth > DEPTH_LIMIT) this.#refuse(`more than ${DEPTH_LIMIT} values in each other`);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    if (first === '"') return this.#string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #object(depth: number): Readonly<Record<string, unknown>> {
    const entries: [string, unknown][] = [];
    const places = new Map<string | number, number>();
    const start = this.#at;
    this.#items('}', () => {
      if (this.#text[this.#at] !== '"') this.#refuse('expected a field name in double quotes');
      const at = this.#at;
      const name = this.#string();
      if (places.has(name)) this.#refuse(`the field "${name}" is there twice`, at);
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') this.#refuse("expected ':' after a field name");
      this.#at += 1;
      this.#skipSpace();
      places.set(name, this.#at);
      entries.push([name, this.#value(depth + 1)]);
    });
    // Entries and not assignments: a field "__proto__" is a field like any other.
    return this.#placed(Object.fromEntries(entries), start, places);
  }

  #array(depth: number): readonly unknown[] {
    const values: unknown[] = [];
    const places = new Map<string | number, number>();
    const start = this.#at;
    this.#items(']', () => {
      places.set(values.length, this.#at);
      values.push(this.#value(depth + 1));
    });
    return this.#placed(values, start, places);
  }

  #placed<T extends object>(container: T, start: number, places: Map<string | number, number>): T {
    this.#offsets.set(container, start);
    this.#fields.set(container, places);
    return container;
  }

  /** What is between a bracket and its closing one, separated by commas. */
  #items(close: '}' | ']', item: () => void): void {
    this.#at += 1;
    this.#skipSpace();
    if (this.#text[this.#at] === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      item();
      this.#skipSpace();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== close) this.#refuse(`expected ',' or '${close}'`);
      this.#at += 1;
      if (next === close) return;
      this.#skipSpace();
    }
  }

  #string(): string {
    const start = this.#at;
    const end = this.#endOfString(start);
    const text = this.#text.slice(start, end);
    try {
      const value = JSON.parse(text) as string;
      this.#at = end;
      return value;
    } catch {
      return this.#refuse('a string with a bad escape or a control character (or without its end)');
    }
  }

  /** Behind the quote that closes it. */
  #endOfString(start: number): number {
    for (let quote = start; ; ) {
      quote = this.#text.indexOf('"', quote + 1);
      if (quote < 0) this.#refuse('a string that does not end', start);
      let backslashes = 0;
      while (this.#text[quote - 1 - backslashes] === '\\') backslashes += 1;
      if (backslashes % 2 === 0) return quote + 1;
    }
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (found === null) return this.#refuse('expected a value');
    this.#at += found[0].length;
    const value = Number(found[0]);
    const isWhole = found[1] === undefined && found[2] === undefined;
    return isWhole && !Number.isSafeInteger(value) ? BigInt(found[0]) : value;
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }
}
