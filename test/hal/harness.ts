import {
  type AnyImplementation,
  type BindingContext,
  bindRecording,
  bindReplaying,
  implementationOf,
} from '../../src/hal/bind.js';
import { AnswerLedger } from '../../src/hal/contract/answers.js';
import type { HalContract, HalOf } from '../../src/hal/contract/define.js';
import type { Method } from '../../src/hal/contract/derive.js';
import type { Emitter } from '../../src/hal/contract/implementation.js';
import { TurnSchema } from '../../src/hal/contract/schema.js';
import { TurnScope } from '../../src/hal/contract/turn-scope.js';
import { recordingHooks } from '../../src/hal/record/recording-hooks.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { TurnEncoder } from '../../src/hal/record/turn-encoder.js';
import { DivergenceError } from '../../src/hal/replay/divergence.js';
import { ExactMatcher } from '../../src/hal/replay/exact-matcher.js';
import type { Matcher } from '../../src/hal/replay/matcher.js';
import { Reactor, type RunEnd } from '../../src/reactor/reactor.js';
import { type ReplayEnd, replayReactor, replayTurns } from '../../src/reactor/replay-driver.js';

export interface Hal {
  get<C extends HalContract>(contract: C): HalOf<C>;
  readonly reactor: Reactor;
}

/** A program of a test: its start-up. */
export type TestProgram = (hal: Hal) => void;

function halOf(
  contracts: readonly HalContract[],
  bind: (contract: HalContract) => object,
  reactor: Reactor,
): Hal {
  const bound = new Map(contracts.map((contract) => [contract, bind(contract)]));
  reactor.answer = (call, args) => {
    (bound.get(call.contract) as Record<string, Method> | undefined)?.[call.name]?.(args);
  };
  return { get: (contract) => bound.get(contract) as never, reactor };
}

/** Records a program over the implementations, with a clock that goes on by 1000 ns each turn. */
export function recording(
  contracts: readonly HalContract[],
  implementations: readonly AnyImplementation[],
) {
  const schema = new TurnSchema(contracts);
  const scope = new TurnScope();
  const ledger = new AnswerLedger(contracts);
  const buffer = new TurnBuffer();
  const encoder = new TurnEncoder(schema, buffer);
  let timeNs = 0;
  const reactor = new Reactor(scope, ledger, recordingHooks(encoder), () => {
    timeNs += 1000;
    return timeNs;
  });
  const context: BindingContext = { scope, ledger, emitter: (c) => reactor.emitter(c) };
  const hal = halOf(
    contracts,
    (contract) => bindRecording(implementationOf(contract, implementations), encoder, context),
    reactor,
  );
  const ends: RunEnd[] = [];
  return {
    schema,
    buffer,
    reactor,
    hal,
    scope,
    /** How the run ended: one entry once it has. */
    ends,
    start: (program: TestProgram) => {
      reactor.start(
        () => program(hal),
        (end) => ends.push(end),
      );
    },
    emit: <C extends HalContract>(contract: C): Emitter<C> => reactor.emitter(contract),
  };
}

export interface ReplayOutcome {
  readonly end: ReplayEnd;
  /** What the replay did, encoded again. */
  readonly again: TurnBuffer;
}

export function replaying(
  contracts: readonly HalContract[],
  buffer: TurnBuffer,
  program: TestProgram,
  matcherFor: (schema: TurnSchema) => Matcher = (schema) => new ExactMatcher(schema, 'main'),
): ReplayOutcome {
  const schema = new TurnSchema(contracts);
  const scope = new TurnScope();
  const ledger = new AnswerLedger(contracts);
  const matcher = matcherFor(schema);
  const again = new TurnBuffer();
  const encoder = new TurnEncoder(schema, again);
  const reactor = replayReactor(scope, ledger, matcher, recordingHooks(encoder));
  const context: BindingContext = { scope, ledger, emitter: (c) => reactor.emitter(c) };
  const hal = halOf(
    contracts,
    (contract) => bindReplaying(contract, matcher, encoder, context),
    reactor,
  );
  const end = replayTurns(reactor, matcher, buffer.source(), () => program(hal));
  return { end, again };
}

/** The bytes of every turn. */
export function turnsOf(buffer: TurnBuffer): string[] {
  return Array.from({ length: buffer.turnCount }, (_, index) =>
    Buffer.from(buffer.turnBytes(index)).toString('hex'),
  );
}

/** Runs the body and returns the divergence it must end with. */
export function divergenceOf(body: () => unknown): DivergenceError {
  try {
    body();
  } catch (error) {
    if (error instanceof DivergenceError) return error;
    throw error;
  }
  throw new Error('no divergence was reported');
}
