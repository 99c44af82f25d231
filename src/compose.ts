import 'reflect-metadata';
import { Container, ContainerModule, type ServiceIdentifier } from 'inversify';
import {
  type AnyImplementation,
  type BindingContext,
  bindNative,
  bindRecording,
  bindReplaying,
  implementationOf,
} from './hal/bind.js';
import { AnswerLedger } from './hal/contract/answers.js';
import type { CallSpec, HalContract } from './hal/contract/define.js';
import type { Method } from './hal/contract/derive.js';
import { TurnSchema } from './hal/contract/schema.js';
import { TurnScope } from './hal/contract/turn-scope.js';
import { recordingHooks } from './hal/record/recording-hooks.js';
import { TurnEncoder, type TurnSink } from './hal/record/turn-encoder.js';
import type { Matcher } from './hal/replay/matcher.js';
import { laneOf, type Program, type ProgramRoot } from './program.js';
import { Reactor, type TurnHooks } from './reactor/reactor.js';
import { replayReactor } from './reactor/replay-driver.js';

/** Monotonic nanoseconds of this process, for the times of turns. */
export type ClockNs = () => number;

/** Where the HAL of a lane comes from. */
export type Profile =
  | {
      /** The implementations given: real hardware, a simulation, or a script. */
      readonly kind: 'native' | 'scripted';
      readonly implementations: readonly AnyImplementation[];
      readonly clockNs: ClockNs;
    }
  | {
      /** The same, and every turn goes to the sink. */
      readonly kind: 'recording';
      readonly implementations: readonly AnyImplementation[];
      readonly clockNs: ClockNs;
      readonly sink: TurnSink;
    }
  | {
      /** A recorded lane. With a sink, what the replay does is encoded again. */
      readonly kind: 'replaying';
      readonly matcher: Matcher;
      readonly sink?: TurnSink;
    };

export interface ComposedLane {
  readonly reactor: Reactor;
  /** Builds the lane's objects and starts them: to be called in turn 0. */
  readonly setUp: () => void;
  /** What a contract is bound to; for tests and tools. */
  readonly hal: ReadonlyMap<HalContract, object>;
  /** Ends threads and closes what the implementations still hold. */
  readonly dispose: () => void;
}

const NO_HOOKS: TurnHooks = { begin: () => {}, end: () => {} };

interface Wiring {
  readonly reactor: Reactor;
  readonly bind: (contract: HalContract) => object;
}

function wire(
  profile: Profile,
  schema: TurnSchema,
  scope: TurnScope,
  ledger: AnswerLedger,
): Wiring {
  const context = (reactor: Reactor): BindingContext => ({
    scope,
    ledger,
    emitter: (contract) => reactor.emitter(contract),
  });
  if (profile.kind === 'replaying') {
    const { matcher, sink } = profile;
    const encoder = sink === undefined ? undefined : new TurnEncoder(schema, sink);
    const hooks = encoder === undefined ? undefined : recordingHooks(encoder);
    const reactor = replayReactor(scope, ledger, matcher, hooks);
    return {
      reactor,
      bind: (contract) => bindReplaying(contract, matcher, encoder, context(reactor)),
    };
  }
  const { implementations, clockNs } = profile;
  if (profile.kind === 'recording') {
    const encoder = new TurnEncoder(schema, profile.sink);
    const reactor = new Reactor(scope, ledger, recordingHooks(encoder), clockNs);
    return {
      reactor,
      bind: (contract) =>
        bindRecording(implementationOf(contract, implementations), encoder, context(reactor)),
    };
  }
  const reactor = new Reactor(scope, ledger, NO_HOOKS, clockNs);
  return {
    reactor,
    bind: (contract) => bindNative(implementationOf(contract, implementations), context(reactor)),
  };
}

/**
 * Composes one lane of a program over a profile. This is the only file that asks the container for anything.
 *
 * @param extra further modules, for example an observer that draws a chart. They must not touch the HAL.
 * @throws HalError MISSING_BINDING, naming the contract.
 */
export function composeLane<Config>(
  program: Program<Config>,
  incarnation: string,
  config: Config,
  profile: Profile,
  extra: readonly ContainerModule[] = [],
): ComposedLane {
  const lane = laneOf(program, incarnation);
  const scope = new TurnScope();
  const ledger = new AnswerLedger(program.contracts);
  const { reactor, bind } = wire(profile, new TurnSchema(program.contracts), scope, ledger);
  const hal = new Map(program.contracts.map((contract) => [contract, bind(contract)]));
  reactor.answer = (call: CallSpec, args) => {
    const bound = hal.get(call.contract) as Record<string, Method> | undefined;
    bound?.[call.name]?.(args);
  };
  const container = new Container();
  container.load(halModule(hal), ...extra, ...lane.modules(config));
  container.bind(Reactor).toConstantValue(reactor);
  return {
    reactor,
    hal,
    setUp: () => container.get<ProgramRoot>(lane.root).start(),
    dispose: () => {
      if (profile.kind === 'replaying') return;
      for (const implementation of profile.implementations) implementation.dispose?.();
    },
  };
}

function halModule(hal: ReadonlyMap<HalContract, object>): ContainerModule {
  return new ContainerModule(({ bind }) => {
    for (const [contract, bound] of hal) {
      bind(contract as unknown as ServiceIdentifier<object>).toConstantValue(bound);
    }
  });
}
