import type { Place } from './diagnostic.js';
import type { Findings } from './findings.js';
import type { IncludeReader } from './parse-input.js';

export interface Inclusion {
  readonly code: 'include-unreadable' | 'frequency-unreadable';
  /** As the reader gets it. */
  readonly path: string;
  readonly place: Place;
  readonly remedy: string;
}

/** The text of an included file. Abandons the statement if it cannot be read. */
export function includedText(
  { code, path, place, remedy }: Inclusion,
  include: IncludeReader | undefined,
  findings: Findings,
): string {
  const text = include?.(path);
  if (typeof text === 'string') return text;
  const reason = text === undefined ? '' : `: ${text.message}`;
  return findings.abandon(code, { place, message: `cannot read '${path}'${reason}`, remedy });
}
