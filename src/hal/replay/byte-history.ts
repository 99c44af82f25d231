import type { Range, RangeSet } from './range-set.js';

interface Entry extends Range {
  readonly data: Uint8Array;
  /** How many acquire loads came before, in its interval. */
  readonly epoch: number;
  readonly order: number;
}

/** Bytes as they were read, perhaps several times: each with the number of acquire loads that came before. */
export class ByteHistory {
  private readonly entries: Entry[] = [];
  private sorted = true;
  /** For entry i of those sorted by start: the highest end of the entries 0 to i. */
  private highestEnd: number[] = [];

  add(start: number, data: Uint8Array, epoch: number): void {
    if (data.length === 0) return;
    const order = this.entries.length;
    this.entries.push({ start, end: start + data.length, data, epoch, order });
    this.sorted = false;
  }

  /**
   * Puts what is known of [from, to) into `target`, whose first byte is the one at `base`, and adds it to `known`. Of
   * several values that byte counts which was read last before or in this epoch; failing that, the next one after it.
   */
  paint(
    target: Uint8Array,
    base: number,
    { start: from, end: to }: Range,
    epoch: number,
    known: RangeSet,
  ): void {
    for (const entry of this.overlapping(from, to).sort((a, b) => byWeight(a, b, epoch))) {
      const start = Math.max(from, entry.start);
      const end = Math.min(to, entry.end);
      target.set(entry.data.subarray(start - entry.start, end - entry.start), start - base);
      known.add(start, end);
    }
  }

  private overlapping(from: number, to: number): Entry[] {
    if (!this.sorted) this.sort();
    const { entries, highestEnd } = this;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle]?.start ?? 0) < to) low = middle + 1;
      else high = middle;
    }
    const found: Entry[] = [];
    for (let index = low - 1; index >= 0 && (highestEnd[index] ?? 0) > from; index--) {
      const entry = entries[index] as Entry;
      if (entry.end > from) found.push(entry);
    }
    return found;
  }

  private sort(): void {
    this.entries.sort((a, b) => a.start - b.start);
    let highest = 0;
    this.highestEnd = this.entries.map((entry) => {
      highest = Math.max(highest, entry.end);
      return highest;
    });
    this.sorted = true;
  }
}

/** What counts most is painted last: later epochs from far to near, then the earlier ones up to this. */
function byWeight(a: Entry, b: Entry, epoch: number): number {
  const aLater = a.epoch > epoch;
  const bLater = b.epoch > epoch;
  if (aLater !== bLater) return aLater ? -1 : 1;
  return aLater ? b.order - a.order : a.order - b.order;
}
