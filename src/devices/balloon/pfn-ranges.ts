/** One more than the largest frame. */
const FRAME_LIMIT = 2 ** 32;

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
    const count = runLength(frames, index, frame);
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

/** How many frames from `index` on follow on one another. Compared in 32 bits, which is much faster. */
function runLength(frames: Uint32Array, index: number, first: number): number {
  const stop = Math.min(frames.length, index + FRAME_LIMIT - first);
  let next = first | 0;
  let at = index;
  do {
    next = (next + 1) | 0;
    at++;
  } while (at < stop && ((frames[at] as number) | 0) === next);
  return at - index;
}
