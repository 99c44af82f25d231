export interface Range {
  readonly start: number;
  /** First byte behind it. */
  readonly end: number;
}

/** A set of bytes as sorted, disjoint ranges; touching ones are joined. */
export class RangeSet {
  private ranges: Range[] = [];

  get all(): readonly Range[] {
    return this.ranges;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const { ranges } = this;
    const first = firstEndingAt(ranges, start);
    let behind = first;
    let from = start;
    let to = end;
    for (let range = ranges[behind]; range !== undefined && range.start <= to; ) {
      from = Math.min(from, range.start);
      to = Math.max(to, range.end);
      range = ranges[++behind];
    }
    ranges.splice(first, behind - first, { start: from, end: to });
  }

  /** The parts of [start, end) that are not in the set. */
  gaps(start: number, end: number): Range[] {
    const found: Range[] = [];
    let at = start;
    for (let index = firstEndingAt(this.ranges, start); at < end; index++) {
      const range = this.ranges[index];
      if (range === undefined || range.start >= end) break;
      if (range.start > at) found.push({ start: at, end: range.start });
      at = Math.max(at, range.end);
    }
    if (at < end) found.push({ start: at, end });
    return found;
  }

  /** What is in this set and not in the other. */
  without(other: RangeSet): Range[] {
    return this.ranges.flatMap(({ start, end }) => other.gaps(start, end));
  }
}

/** Index of the first of sorted, disjoint ranges that ends at `position` or behind it. */
export function firstEndingAt(ranges: readonly Range[], position: number): number {
  let low = 0;
  let high = ranges.length;
  // Programs mostly go upwards: the end is tried first.
  if (high > 0 && (ranges[high - 1]?.end ?? 0) < position) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.end ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
