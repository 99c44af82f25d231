import { runEnd } from '../../hal/contract/runs.js';

/**
 * Sorts page frames in place and joins neighbours into ranges. Frames that already ascend, as guests mostly send them,
 * are not sorted. Frames that stand there more than once count once: what is missing in the sum of the counts to
 * `frames.length` were duplicates.
 *
 * @param ranges receives [first frame, count, first frame, count, …], ascending; at least twice as long as `frames`.
 * @returns how many ranges there are.
 */
export function toFrameRanges(frames: Uint32Array, ranges: Float64Array): number {
  const count = joinAscending(frames, ranges);
  if (count !== undefined) return count;
  frames.sort();
  return joinAscending(frames, ranges) ?? 0;
}

/** Undefined as soon as the frames are seen not to ascend. */
function joinAscending(frames: Uint32Array, ranges: Float64Array): number | undefined {
  const { length } = frames;
  let written = 0;
  let end = -1;
  let index = 0;
  while (index < length) {
    const frame = frames[index] as number;
    if (frame < end) {
      // Once more the last one of its range, or out of order.
      if (frame !== end - 1) return undefined;
      index++;
      continue;
    }
    const count = runEnd(frames, index) - index;
    if (frame === end) {
      ranges[written - 1] = (ranges[written - 1] as number) + count;
    } else {
      ranges[written++] = frame;
      ranges[written++] = count;
    }
    end = frame + count;
    index += count;
  }
  return written / 2;
}

/**
 * Sorts ranges of frames in place and joins those that touch or overlap. For as many as one drain can name (a queue's
 * size): the sort is quadratic, and linear for ranges that ascend.
 *
 * @param ranges [first frame, count, first frame, count, …]; counts are above 0.
 * @param count how many ranges there are.
 * @returns how many are left.
 */
export function joinFrameRanges(ranges: Float64Array, count: number): number {
  sortRanges(ranges, count);
  let written = 0;
  let end = -1;
  for (let index = 0; index < count * 2; index += 2) {
    const first = ranges[index] as number;
    const rangeEnd = first + (ranges[index + 1] as number);
    if (first > end) {
      ranges[written++] = first;
      ranges[written++] = rangeEnd - first;
      end = rangeEnd;
    } else if (rangeEnd > end) {
      ranges[written - 1] = (ranges[written - 1] as number) + (rangeEnd - end);
      end = rangeEnd;
    }
  }
  return written / 2;
}

function sortRanges(ranges: Float64Array, count: number): void {
  for (let index = 2; index < count * 2; index += 2) {
    const first = ranges[index] as number;
    const length = ranges[index + 1] as number;
    let at = index;
    for (; at > 0 && (ranges[at - 2] as number) > first; at -= 2) {
      ranges[at] = ranges[at - 2] as number;
      ranges[at + 1] = ranges[at - 1] as number;
    }
    ranges[at] = first;
    ranges[at + 1] = length;
  }
}
