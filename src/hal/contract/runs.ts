const U32_NUMBERS = 2 ** 32;

/**
 * Where the run that begins at `start` ends: the numbers before it grow by one. Compared in 32 bits and four at a time,
 * which is twice as fast as it looks otherwise; 0 does not follow on the largest number.
 */
export function runEnd(values: Uint32Array, start: number): number {
  const first = values[start] as number;
  const stop = Math.min(values.length, start + U32_NUMBERS - first) | 0;
  const stopOfFours = stop - 3;
  let next = ((first | 0) + 1) | 0;
  let index = start + 1;
  while (
    index < stopOfFours &&
    ((values[index] as number) | 0) === next &&
    ((values[index + 1] as number) | 0) === ((next + 1) | 0) &&
    ((values[index + 2] as number) | 0) === ((next + 2) | 0) &&
    ((values[index + 3] as number) | 0) === ((next + 3) | 0)
  ) {
    next = (next + 4) | 0;
    index += 4;
  }
  while (index < stop && ((values[index] as number) | 0) === next) {
    next = (next + 1) | 0;
    index++;
  }
  return index;
}
