import type { AnswerLedger } from '../hal/contract/answers.js';
import type { TurnScope } from '../hal/contract/turn-scope.js';
import { failureOf } from '../hal/record/failure.js';
import type { Matcher } from '../hal/replay/matcher.js';
import type { TurnSource } from '../hal/replay/turn-cursor.js';
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
  while (source.next()) {
    matcher.beginTurn(source.buffer, source.start, source.end);
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
