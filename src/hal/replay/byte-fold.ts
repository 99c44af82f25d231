import { firstEndingAt, type Range } from './range-set.js';

/** Bytes with what they hold; without data they were given up and read as zero. */
export interface Run extends Range {
  readonly data: Uint8Array | undefined;
}

/** Where two folds differ. A side that is absent did not write there. */
export interface FoldDifference extends Range {
  readonly left: Uint8Array | undefined;
  readonly right: Uint8Array | undefined;
}

/** What writes and releases leave behind: the last one to each byte counts. */
export class ByteFold {
  private runs: Run[] = [];

  get all(): readonly Run[] {
    return this.runs;
  }

  /** Keeps the array: callers that reuse theirs pass a copy. */
  write(start: number, data: Uint8Array): void {
    this.put({ start, end: start + data.length, data });
  }

  release(start: number, end: number): void {
    this.put({ start, end, data: undefined });
  }

  /** The runs within [start, end), cut to it. */
  within(start: number, end: number): Run[] {
    const found: Run[] = [];
    for (let index = firstEndingAt(this.runs, start + 1); index < this.runs.length; index++) {
      const run = this.runs[index] as Run;
      if (run.start >= end) break;
      found.push(cut(run, Math.max(start, run.start), Math.min(end, run.end)));
    }
    return found;
  }

  private put(run: Run): void {
    if (run.end <= run.start) return;
    const { runs } = this;
    const first = firstEndingAt(runs, run.start + 1);
    let behind = first;
    while ((runs[behind]?.start ?? run.end) < run.end) behind++;
    const pieces = [run];
    const head = runs[first];
    const tail = runs[behind - 1];
    if (behind > first && head !== undefined && head.start < run.start) {
      pieces.unshift(cut(head, head.start, run.start));
    }
    if (behind > first && tail !== undefined && tail.end > run.end) {
      pieces.push(cut(tail, run.end, tail.end));
    }
    runs.splice(first, behind - first, ...pieces);
  }
}

function cut(run: Run, start: number, end: number): Run {
  const data = run.data?.subarray(start - run.start, end - run.start);
  return { start, end, data };
}

/** Where the written bytes of two folds differ; what reads as zero after a release is not compared. */
export function compareFolds(left: ByteFold, right: ByteFold): FoldDifference[] {
  const lefts = left.all.filter((run) => run.data !== undefined);
  const rights = right.all.filter((run) => run.data !== undefined);
  const found: FoldDifference[] = [];
  let l = 0;
  let r = 0;
  let at = 0;
  while (l < lefts.length || r < rights.length) {
    const a = lefts[l];
    const b = rights[r];
    const start = Math.max(at, Math.min(a?.start ?? Infinity, b?.start ?? Infinity));
    const end = Math.min(segmentEnd(a, start), segmentEnd(b, start));
    const difference = compareSegment(a, b, start, end);
    if (difference !== undefined) found.push(difference);
    at = end;
    if (a !== undefined && a.end <= at) l++;
    if (b !== undefined && b.end <= at) r++;
  }
  return found;
}

/** Where a segment that starts at `start` must end because of this run. */
function segmentEnd(run: Run | undefined, start: number): number {
  if (run === undefined) return Infinity;
  return run.start <= start ? run.end : run.start;
}

function compareSegment(
  a: Run | undefined,
  b: Run | undefined,
  start: number,
  end: number,
): FoldDifference | undefined {
  const left = a !== undefined && a.start <= start ? cut(a, start, end).data : undefined;
  const right = b !== undefined && b.start <= start ? cut(b, start, end).data : undefined;
  if (left === undefined || right === undefined) return { start, end, left, right };
  let first = 0;
  let last = left.length;
  while (first < last && left[first] === right[first]) first++;
  if (first === last) return undefined;
  while (left[last - 1] === right[last - 1]) last--;
  return {
    start: start + first,
    end: start + last,
    left: left.subarray(first, last),
    right: right.subarray(first, last),
  };
}
