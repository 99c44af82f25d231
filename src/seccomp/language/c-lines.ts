import type { Place } from './diagnostic.js';

interface Segment {
  /** Where the physical line begins in the joined one. */
  readonly offset: number;
  readonly line: number;
  readonly text: string;
}

/** A line of the C dialect: physical lines joined at final backslashes, with a space in place of each. */
export class LogicalLine {
  readonly text: string;
  readonly #file: string;
  readonly #segments: readonly Segment[];

  constructor(file: string, segments: readonly Segment[], text: string) {
    this.#file = file;
    this.#segments = segments;
    this.text = text;
  }

  get isJoined(): boolean {
    return this.#segments.length > 1;
  }

  /** The place of a part of the joined text; cut at the end of the physical line it begins in. */
  place(start: number, end: number): Place {
    const segment = this.#segmentAt(start);
    const column = Math.min(start - segment.offset, segment.text.length);
    const length = Math.max(1, Math.min(end - start, segment.text.length - column));
    return {
      span: { file: this.#file, line: segment.line, column: column + 1, length },
      sourceLine: segment.text,
    };
  }

  /** The place of the physical line after the first one. */
  secondLine(): Place {
    const offset = this.#segments[1]?.offset ?? 0;
    return this.place(offset, this.text.length);
  }

  #segmentAt(start: number): Segment {
    const segment = this.#segments.findLast(({ offset }) => offset <= start);
    if (segment === undefined) throw new RangeError(`no character ${start} in this line`);
    return segment;
  }
}

export interface CLines {
  readonly lines: readonly LogicalLine[];
  /** What a backslash at the end of the file drops. */
  readonly dropped?: LogicalLine;
}

/** Splits as getline(3) with libminijail's joining does: comments are not known yet, and carriage returns stay. */
export function splitCLines(text: string, file: string): CLines {
  const physical = text.split('\n');
  if (physical.at(-1) === '') physical.pop();
  const lines: LogicalLine[] = [];
  let pending: Segment[] = [];
  let joined = '';
  physical.forEach((content, index) => {
    pending.push({ offset: joined.length, line: index + 1, text: content });
    if (content.endsWith('\\')) {
      joined += `${content.slice(0, -1)} `;
      return;
    }
    lines.push(new LogicalLine(file, pending, joined + content));
    pending = [];
    joined = '';
  });
  if (pending.length === 0) return { lines };
  return { lines, dropped: new LogicalLine(file, pending, joined) };
}
