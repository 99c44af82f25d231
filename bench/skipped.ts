/** Why a part of the benchmark could not run here. */
export interface Skipped {
  readonly skipped: string;
}

export function wasSkipped(figures: object): figures is Skipped {
  return 'skipped' in figures;
}
