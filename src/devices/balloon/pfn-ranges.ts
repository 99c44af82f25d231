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
  const length = frames.length;
  let written = 0;
  let start = -1;
  let end = -1;
  for (let index = 0; index < length; index++) {
    const frame = frames[index] as number;
    if (frame === end) {
      end++;
    } else if (frame > end) {
      if (start >= 0) {
        ranges[written++] = start;
        ranges[written++] = end - start;
      }
      start = frame;
      end = frame + 1;
    } else if (frame !== end - 1) {
      return undefined;
    }
  }
  if (start >= 0) {
    ranges[written++] = start;
    ranges[written++] = end - start;
  }
  return written / 2;
}
