import { BALLOON_PAGE_BYTES, BYTES_PER_MIB } from '../hal/contract/units.js';

/** One moment of a run, in MiB. */
export interface ChartPoint {
  /** Since the start. */
  readonly seconds: number;
  readonly availableMiB: number;
  readonly marginMiB: number;
  readonly balloonMiB: number;
}

/** Characters. */
export interface ChartSize {
  readonly columns: number;
  readonly rows: number;
}

const MEMORY_HEIGHT = 10;
const BALLOON_HEIGHT = 5;
const LEAST_HEIGHT = 2;
/** Two legends and the time. */
const OTHER_ROWS = 3;
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
export function drawChart(points: readonly ChartPoint[], { columns, rows }: ChartSize): string[] {
  const width = Math.max(10, Math.min(columns - LABEL_WIDTH - 3, 100));
  const shown = points.slice(-width);
  const first = shown[0];
  const last = shown.at(-1);
  if (first === undefined || last === undefined) return [];
  const height = rows - OTHER_ROWS;
  const balloonHeight = within(Math.floor(height / 3), BALLOON_HEIGHT);
  const memory = graph(
    shown.map((point) => [point.availableMiB, point.marginMiB]),
    ['●', '─'],
    [GREEN, RED],
    within(height - balloonHeight, MEMORY_HEIGHT),
  );
  const balloon = graph(
    shown.map((point) => [point.balloonMiB]),
    ['█'],
    [CYAN],
    balloonHeight,
    0,
  );
  return [
    `${GREEN}● available ${last.availableMiB} MiB${PLAIN}   ${RED}─ margin ${last.marginMiB} MiB${PLAIN}`,
    ...memory,
    `${CYAN}█ balloon ${last.balloonMiB.toFixed(0)} MiB${PLAIN}`,
    ...balloon,
    timeAxis(first.seconds, last.seconds, shown.length),
  ];
}

function within(height: number, most: number): number {
  return Math.max(LEAST_HEIGHT, Math.min(height, most));
}

/** The times of the first and the last column, as far as they do not touch. */
function timeAxis(first: number, last: number, columns: number): string {
  const [from, to] = [`${first.toFixed(1)} s`, `${last.toFixed(1)} s`];
  const line =
    columns < from.length + to.length + 1 ? from : `${from}${to.padStart(columns - from.length)}`;
  return `${''.padStart(LABEL_WIDTH)} ${DIM}└${line}${PLAIN}`;
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
