import type { ContainerModule } from 'inversify';
import { composeLane, type Profile } from './compose.js';
import { TurnSchema } from './hal/contract/schema.js';
import type { TurnSink } from './hal/record/turn-encoder.js';
import { EffectsMatcher } from './hal/replay/effects-matcher.js';
import { ExactMatcher } from './hal/replay/exact-matcher.js';
import type { Matcher, MatchMode } from './hal/replay/matcher.js';
import type { TurnSource } from './hal/replay/turn-cursor.js';
import type { Program } from './program.js';
import type { RunEnd } from './reactor/reactor.js';
import { type ReplayEnd, type ReplayObserver, replayTurns } from './reactor/replay-driver.js';

export interface LiveRun {
  /** Resolves when the program has stopped or failed. */
  readonly ended: Promise<RunEnd>;
  /** Ends the run from outside, with the next event; no turn is cut short. */
  readonly stop: () => void;
}

/** Runs one lane over implementations. They are disposed of when it ends. */
export function runLane<Config>(
  program: Program<Config>,
  incarnation: string,
  config: Config,
  profile: Exclude<Profile, { kind: 'replaying' }>,
  extra: readonly ContainerModule[] = [],
): LiveRun {
  const lane = composeLane(program, incarnation, config, profile, extra);
  const ended = new Promise<RunEnd>((resolve) => {
    lane.reactor.start(lane.setUp, (end) => {
      lane.dispose();
      resolve(end);
    });
  });
  return { ended, stop: () => lane.reactor.halt() };
}

export interface ReplayOptions {
  readonly match?: MatchMode;
  /** Gets what the replay did, encoded again. */
  readonly sink?: TurnSink;
  readonly observer?: ReplayObserver;
  readonly extra?: readonly ContainerModule[];
  /** The lane ended by itself: then the program must stop where it stopped. Default true. */
  readonly complete?: boolean;
}

/**
 * Replays one recorded lane. Nothing waits, and no hardware is touched.
 *
 * @throws DivergenceError at the first difference.
 */
export function replayLane<Config>(
  program: Program<Config>,
  incarnation: string,
  config: Config,
  source: TurnSource,
  options: ReplayOptions = {},
): ReplayEnd {
  const { match = 'exact', sink, observer, extra = [], complete = true } = options;
  const matcher = matcherFor(match, new TurnSchema(program.contracts), incarnation);
  const profile: Profile =
    sink === undefined ? { kind: 'replaying', matcher } : { kind: 'replaying', matcher, sink };
  const lane = composeLane(program, incarnation, config, profile, extra);
  const end = replayTurns(lane.reactor, matcher, source, lane.setUp, observer);
  if (complete && !lane.reactor.hasStopped) {
    matcher.cursor.diverge({
      kind: 'program-goes-on',
      summary: 'the recording ends here, and the program has not stopped',
    });
  }
  return end;
}

function matcherFor(match: MatchMode, schema: TurnSchema, lane: string): Matcher {
  if (match === 'exact') return new ExactMatcher(schema, lane);
  return new EffectsMatcher(schema, lane);
}
