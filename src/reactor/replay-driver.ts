import type { AnswerLedger } from '../hal/contract/answers.js';
import type { TurnScope } from '../hal/contract/turn-scope.js';
import { WireError } from '../hal/contract/wire.js';
import { failureOf } from '../hal/record/failure.js';
import type { Matcher } from '../hal/replay/matcher.js';
import type { TurnCursor, TurnSource } from '../hal/replay/turn-cursor.js';
import { Reactor, type RunEnd, type TurnHooks } from './reactor.js';

/** Sees each turn that matched. */
export interface ReplayObserver {
  turnMatched(number: number, calls: number, timeNs: number): void;
}

export interface ReplayEnd extends RunEnd {
  readonly calls: number;
}

/** The hooks of a replay, besides the matcher's own: a recorder that encodes the replay again, for its hash. */
export function replayHooks(matcher: Matcher, also?: TurnHooks): TurnHooks {
  return {
    begin: (number, timeNs, event, payload) => also?.begin(number, timeNs, event, payload),
    end: (failure) => {
      // Bytes that cannot be decoded are the trace's fault, and no difference of the program.
      if (failure instanceof WireError) throw failure;
      also?.end(failure);
      matcher.endTurn(failure === undefined ? undefined : failureOf(failure));
    },
  };
}

/** Makes the reactor of a replay. Its clock is the trace. */
export function replayReactor(
  scope: TurnScope,
  ledger: AnswerLedger,
  matcher: Matcher,
  also?: TurnHooks,
): Reactor {
  return new Reactor(scope, ledger, replayHooks(matcher, also), () => matcher.cursor.timeNs);
}

/**
 * Runs a program against its recorded turns: each event is delivered in its recorded order, without waiting.
 *
 * @throws DivergenceError at the first difference; leftovers on either side count as one.
 * @throws WireError for turns that are not encoded as declared, or not one after the other.
 */
export function replayTurns(
  reactor: Reactor,
  matcher: Matcher,
  source: TurnSource,
  setUp: () => void,
  observer?: ReplayObserver,
): ReplayEnd {
  const { cursor } = matcher;
  let calls = 0;
  let going = true;
  let expected = 0;
  while (source.next()) {
    matcher.beginTurn(source.buffer, source.start, source.end);
    refuseDisorder(cursor, expected++, source.start);
    if (!going) {
      cursor.diverge({
        kind: 'leftover-turns',
        summary: 'the program has stopped, and the recording goes on with this turn',
      });
    }
    going = reactor.replay(cursor.event, cursor.timeNs, setUp);
    calls += cursor.matched;
    observer?.turnMatched(cursor.number, cursor.matched, cursor.timeNs);
  }
  return { ...reactor.end(), calls };
}

/** A lane has the turns 0, 1, 2, …, and turn 0 is start-up: with one missing, what follows would be compared with nothing. */
function refuseDisorder({ number, event }: TurnCursor, expected: number, position: number): void {
  if (number !== expected) {
    const what = number > expected ? 'turns are missing' : 'turns come again';
    throw new WireError(
      `turn ${number} stands where turn ${expected} should be: ${what}`,
      position,
    );
  }
  if ((event === undefined) === (number === 0)) return;
  const what = number === 0 ? 'has an event, and is start-up' : 'has no event, and is no start-up';
  throw new WireError(`turn ${number} ${what}`, position);
}
