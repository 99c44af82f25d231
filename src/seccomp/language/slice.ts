import type { LogicalLine } from './c-lines.js';
import type { Place } from './diagnostic.js';

/** A part of a line, which knows where it stands. Splits as the C library's functions do. */
export class Slice {
  readonly line: LogicalLine;
  readonly start: number;
  readonly end: number;

  constructor(line: LogicalLine, start: number, end: number) {
    this.line = line;
    this.start = start;
    this.end = end;
  }

  static of(line: LogicalLine): Slice {
    return new Slice(line, 0, line.text.length);
  }

  get text(): string {
    return this.line.text.slice(this.start, this.end);
  }

  get place(): Place {
    return this.line.place(this.start, this.end);
  }

  /** The place just behind: where something is missing. */
  get placeAfter(): Place {
    return this.line.place(this.end, this.end + 1);
  }

  /** Offsets count from the start of this slice. */
  part(from: number, to = this.end - this.start): Slice {
    return new Slice(this.line, this.start + from, this.start + to);
  }

  /** Without blanks (space and tab, no other white space) at both ends. */
  stripped(): Slice {
    const text = this.text;
    let from = 0;
    let to = text.length;
    while (from < to && isBlank(text[from])) from += 1;
    while (to > from && isBlank(text[to - 1])) to -= 1;
    return this.part(from, to);
  }

  /** The parts between separators, empty ones included: strstr(3) in a loop. */
  splitAt(separator: string): readonly Slice[] {
    const parts: Slice[] = [];
    let from = 0;
    for (const { length } of this.text.split(separator)) {
      parts.push(this.part(from, from + length));
      from += length + separator.length;
    }
    return parts;
  }

  /** The parts between separators, without empty ones: strtok(3). */
  words(separator: string): readonly Slice[] {
    return this.splitAt(separator).filter((part) => part.end > part.start);
  }

  /** From this one's start to the other's end. */
  upTo(last: Slice): Slice {
    return new Slice(this.line, this.start, last.end);
  }
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
