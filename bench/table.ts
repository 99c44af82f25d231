/** One line of the table. */
export interface Row {
  readonly name: string;
  /** Undefined if it was not measured. */
  readonly value: number | undefined;
  readonly unit: string;
  readonly digits: number;
  /** What is to be reached. */
  readonly goal?: { readonly kind: 'at least' | 'at most'; readonly value: number };
  readonly note?: string;
}

export function meets({ value, goal }: Row): boolean | undefined {
  if (goal === undefined || value === undefined) return undefined;
  return goal.kind === 'at least' ? value >= goal.value : value <= goal.value;
}

function cells(row: Row): string[] {
  const { name, value, unit, digits, goal, note } = row;
  const format = (number: number) =>
    number.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const reached = meets(row);
  return [
    name,
    value === undefined ? 'not measured' : `${format(value)} ${unit}`.trim(),
    goal === undefined ? '' : `${goal.kind} ${format(goal.value)}`,
    reached === undefined ? '' : reached ? 'yes' : 'NO',
    note ?? '',
  ];
}

/** Columns padded, numbers to the right. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [['', 'measured', 'goal', 'reached', ''], ...rows.map(cells)];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column === 1 || column === 2 ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
