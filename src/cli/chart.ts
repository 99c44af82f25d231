import { BALLOON_PAGE_BYTES, BYTES_PER_MIB } from '../hal/contract/units.js';

/** One moment of a run, in MiB. */
export interface ChartPoint {
  readonly availableMiB: number;
  readonly marginMiB: number;
  readonly balloonMiB: number;
}

const HEIGHT = 10;
const LABEL_WIDTH = 8;
const DIM = '\u001b[2m';
const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const CYAN = '\u001b[36m';
const PLAIN = '\u001b[0m';

/**
 * Draws available memory and margin above, the balloon below, over time. Each graph has its own scale, since the host's
 * memory is much larger than what changes.
 */
export function drawChart(points: readonly ChartPoint[], columns: number): string[] {
  const width = Math.max(10, Math.min(columns - LABEL_WIDTH - 2, 100));
  const shown = points.slice(-width);
  const memory = graph(
    shown.map((point) => [point.availableMiB, point.marginMiB]),
    ['●', '─'],
    [GREEN, RED],
    HEIGHT,
  );
  const balloon = graph(
    shown.map((point) => [point.balloonMiB]),
    ['█'],
    [CYAN],
    HEIGHT / 2,
    0,
  );
  return [
    `${GREEN}● available${PLAIN}  ${RED}─ margin${PLAIN}  ${DIM}(MiB)${PLAIN}`,
    ...memory,
    `${CYAN}█ balloon${PLAIN}  ${DIM}(MiB)${PLAIN}`,
    ...balloon,
  ];
}

function graph(
  rows: readonly (readonly number[])[],
  marks: readonly string[],
  colours: readonly string[],
  height: number,
  floor?: number,
): string[] {
  const all = rows.flat();
  const low = floor ?? Math.min(...all);
  const high = Math.max(...all, low + 1);
  const cells = Array.from({ length: height }, () => Array<string>(rows.length).fill(' '));
  rows.forEach((values, column) => {
    // Drawn backwards, so that the first series is on top.
    for (let series = values.length - 1; series >= 0; series--) {
      const value = values[series] ?? low;
      const level = Math.round(((value - low) / (high - low)) * (height - 1));
      const line = cells[height - 1 - level];
      if (line !== undefined) line[column] = `${colours[series]}${marks[series]}${PLAIN}`;
    }
  });
  return cells.map((line, index) => {
    const value = high - ((high - low) * index) / (height - 1);
    const label = index === 0 || index === height - 1 ? value.toFixed(0) : '';
    return `${label.padStart(LABEL_WIDTH)} │${line.join('')}`;
  });
}

export function pagesToMiB(pages: number): number {
  return (pages * BALLOON_PAGE_BYTES) / BYTES_PER_MIB;
}
