import type { CallSpec } from '../contract/define.js';
import type { Method } from '../contract/derive.js';
import type { Failure } from '../record/failure.js';
import type { TurnCursor } from './turn-cursor.js';

export type MatchMode = 'exact' | 'effects';

/** Compares what a program does in a turn with what it did in the recorded one, and answers its calls. */
export interface Matcher {
  readonly cursor: TurnCursor;
  /** Takes the next recorded turn. The bytes stay valid until `endTurn`. */
  beginTurn(bytes: Uint8Array, start: number, end: number): void;
  /** Checks that nothing is left over. @throws DivergenceError */
  endTurn(failure: Failure | undefined): void;
  /** The function that answers one call from the trace. */
  method(spec: CallSpec): Method;
}
