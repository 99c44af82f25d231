/** A test file's value, with what is needed to say where a part of it stands. */
export interface TestDocument {
  /** Plain objects, arrays, strings, numbers (bigint where a number would lose digits), booleans and null. */
  readonly value: unknown;
  /** Where the value of a field stands, or the container itself. */
  positionOf(container: object, field?: string | number): DocumentPosition;
}

/** From 1. */
export interface DocumentPosition {
  readonly line: number;
  readonly column: number;
}

/** A test file that cannot be used at all, or a case that cannot be run. */
export class TestFileError extends Error {
  override readonly name = 'TestFileError';
  readonly code = 'TEST_FILE';

  constructor(
    readonly file: string,
    readonly position: DocumentPosition,
    readonly reason: string,
  ) {
    super(`${file}:${position.line}:${position.column}: ${reason}`);
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Finds lines by bisection; the text's line ends are \n, \r\n or \r. */
export class LineTable {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/gu)) {
      this.#starts.push(index + end.length);
    }
  }

  positionOf(offset: number): DocumentPosition {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (this.#starts[low] as number) + 1 };
  }
}
