import type { AnswerLedger, Unanswered } from '../hal/contract/answers.js';
import { named } from '../hal/contract/codec.js';
import type { CallSpec, EventSpec, HalContract, HalEvents } from '../hal/contract/define.js';
import { roundingFields } from '../hal/contract/derive.js';
import { HalError } from '../hal/contract/errors.js';
import type { Emitter } from '../hal/contract/implementation.js';
import type { TurnScope } from '../hal/contract/turn-scope.js';

export type Payload = Readonly<Record<string, unknown>>;
type Handler = (payload: never) => void;

/** What goes on around a turn: a recorder writes it down, a replayer opens and closes the recorded one. */
export interface TurnHooks {
  begin(
    number: number,
    timeNs: number,
    event: EventSpec | undefined,
    payload: Payload | undefined,
  ): void;
  /** @param failure what the handler threw. */
  end(failure: unknown): void;
}

/** What devices and policies need of the reactor. */
export interface EventSource {
  /** Time of the turn under way: monotonic nanoseconds. */
  readonly nowNs: number;
  /**
   * Calls `handler` with each event of that name. Events with a key (a timer, a channel) are given to the handlers of
   * that key only; `undefined` subscribes to all. Returns what ends the subscription.
   */
  on<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
    key: number | undefined,
    handler: (payload: HalEvents<C>[E]) => void,
  ): () => void;
  /** Ends the run with the turn under way. */
  stop(): void;
}

/** How a run ended. */
export interface RunEnd {
  readonly turns: number;
  /** What a handler threw, if one did. */
  readonly failure: unknown;
  /** Events that still wanted an answer. */
  readonly unanswered: readonly Unanswered[];
  /** Events that came after the run had stopped, and were dropped. */
  readonly dropped: number;
}

interface Route {
  readonly byKey: Map<number, readonly Handler[]>;
  all: readonly Handler[];
}

interface Queued {
  readonly spec: EventSpec;
  readonly payload: Payload;
}

/**
 * Delivers events one at a time. A turn is one event and every call made while it is handled; handlers run to their end
 * before the next event, and what arrives meanwhile waits in the queue.
 */
export class Reactor implements EventSource {
  private readonly scope: TurnScope;
  private readonly ledger: AnswerLedger;
  private readonly hooks: TurnHooks;
  private readonly clockNs: () => number;
  private readonly routes = new Map<EventSpec, Route>();
  private queue: Queued[] = [];
  private started = false;
  private running = false;
  private stopped = false;
  private turns = 0;
  private dropped = 0;
  private failure: unknown;
  private onEnd: ((end: RunEnd) => void) | undefined;
  /** Answers a pending event after its handler failed: bound by the composition to the derived HAL. */
  answer: ((call: CallSpec, args: Record<string, unknown>) => void) | undefined;

  /** @param clockNs monotonic time, read once for each turn. */
  constructor(scope: TurnScope, ledger: AnswerLedger, hooks: TurnHooks, clockNs: () => number) {
    this.scope = scope;
    this.ledger = ledger;
    this.hooks = hooks;
    this.clockNs = clockNs;
  }

  get nowNs(): number {
    return this.scope.nowNs;
  }

  on<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
    key: number | undefined,
    handler: (payload: HalEvents<C>[E]) => void,
  ): () => void {
    const spec = eventSpec(contract, name);
    let route = this.routes.get(spec);
    if (route === undefined) {
      route = { byKey: new Map(), all: [] };
      this.routes.set(spec, route);
    }
    const { byKey } = route;
    const entry = handler as Handler;
    if (key === undefined) {
      const target = route;
      target.all = [...target.all, entry];
      return once(() => {
        target.all = without(target.all, entry);
      });
    }
    byKey.set(key, [...(byKey.get(key) ?? []), entry]);
    return once(() => {
      const rest = without(byKey.get(key) ?? [], entry);
      if (rest.length === 0) byKey.delete(key);
      else byKey.set(key, rest);
    });
  }

  /** Where an implementation puts its events. */
  emitter<C extends HalContract>(contract: C): Emitter<C> {
    const emit: Record<string, (payload: Payload) => void> = {};
    for (const spec of contract.events) {
      const round = roundingFields(spec.fields);
      emit[spec.name] = (payload) => {
        for (const { name, codec } of spec.fields) {
          const problem = codec.check(payload[name]);
          if (problem !== undefined) {
            throw new TypeError(
              `the event ${contract.halName}.${spec.name}: ${named(name, problem)}`,
            );
          }
        }
        this.enqueue(spec, round === undefined ? payload : round(payload));
      };
    }
    return emit as Emitter<C>;
  }

  /** Runs start-up as turn 0, then whatever is queued. `onEnd` is called once, when the run has ended. */
  start(setUp: () => void, onEnd: (end: RunEnd) => void): void {
    this.onEnd = onEnd;
    this.turn(undefined, undefined, this.clockNs(), () => synchronously(setUp));
    this.started = true;
    this.drain();
  }

  /** Replay: runs one turn that was recorded, at its recorded time. @returns false once the run has ended. */
  replay(event: Queued | undefined, timeNs: number, setUp: () => void): boolean {
    if (event === undefined) this.turn(undefined, undefined, timeNs, () => synchronously(setUp));
    else this.turn(event.spec, event.payload, timeNs, () => this.dispatch(event));
    return !this.stopped;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Ends the run between two turns: nothing of it is in the trace. */
  halt(): void {
    this.stopped = true;
    if (!this.running && !this.scope.active) this.drain();
  }

  get hasStopped(): boolean {
    return this.stopped;
  }

  end(): RunEnd {
    return {
      turns: this.turns,
      failure: this.failure,
      unanswered: this.ledger.unanswered(),
      dropped: this.dropped,
    };
  }

  private enqueue(spec: EventSpec, payload: Payload): void {
    if (this.stopped) {
      this.dropped++;
      return;
    }
    this.queue.push({ spec, payload });
    // What comes before start-up waits for it: start-up is turn 0.
    if (this.started && !this.running && !this.scope.active) this.drain();
  }

  private drain(): void {
    if (this.running) return;
    this.running = true;
    let next = 0;
    try {
      while (next < this.queue.length && !this.stopped) {
        const event = this.queue[next++] as Queued;
        this.turn(event.spec, event.payload, this.clockNs(), () => this.dispatch(event));
        if (next === this.queue.length) {
          this.queue = [];
          next = 0;
        }
      }
      this.dropped += this.queue.length - next;
      next = this.queue.length;
    } finally {
      // Hooks may throw (a full disk): what was delivered must not be delivered again.
      this.queue = this.queue.slice(next);
      this.running = false;
    }
    if (this.stopped && this.onEnd !== undefined) {
      const onEnd = this.onEnd;
      this.onEnd = undefined;
      onEnd(this.end());
    }
  }

  private turn(
    event: EventSpec | undefined,
    payload: Payload | undefined,
    timeNs: number,
    body: () => void,
  ): void {
    const { scope } = this;
    scope.number = this.turns;
    scope.nowNs = timeNs;
    this.hooks.begin(this.turns, timeNs, event, payload);
    if (event !== undefined && payload !== undefined) {
      this.ledger.asked(event, payload, this.turns);
    }
    scope.active = true;
    let failure: unknown;
    try {
      body();
    } catch (error) {
      failure = error ?? new Error('a handler threw nothing');
      this.giveFailureAnswers();
    } finally {
      scope.active = false;
      this.turns++;
    }
    if (failure !== undefined) {
      this.failure = failure;
      this.stopped = true;
    }
    this.hooks.end(failure);
  }

  /** A failed handler must not leave a vCPU waiting: its exit is completed as the contract says. */
  private giveFailureAnswers(): void {
    for (const { call, args } of this.ledger.failures(this.turns)) {
      try {
        this.answer?.(call, args);
      } catch (error) {
        // The hardware is about to be closed anyway; the handler's own error is the one to report.
        if (!HalError.is(error)) throw error;
      }
    }
  }

  private dispatch({ spec, payload }: Queued): void {
    const route = this.routes.get(spec);
    if (route === undefined) return;
    const keyName = spec.definition.options.key;
    if (keyName !== undefined) {
      const keyed = route.byKey.get(payload[keyName] as number);
      if (keyed !== undefined) callAll(keyed, payload, spec);
    }
    callAll(route.all, payload, spec);
  }
}

function callAll(handlers: readonly Handler[], payload: Payload, spec: EventSpec): void {
  for (const handler of handlers) {
    const returned: unknown = (handler as (payload: Payload) => unknown)(payload);
    refusePromise(returned, () => `a handler of ${spec.contract.halName}.${spec.name}`);
  }
}

function synchronously(setUp: () => void): void {
  const returned: unknown = (setUp as () => unknown)();
  refusePromise(returned, () => 'start-up');
}

function refusePromise(returned: unknown, who: () => string): void {
  if (!isThenable(returned)) return;
  // The run ends with the error below; what the promise still meets (OUTSIDE_TURN) must not end the process as well.
  returned.then(undefined, () => {});
  throw new HalError(
    'ASYNC_HANDLER',
    `${who()} returned a promise. Handlers are synchronous: make the HAL calls before returning, and wait for an ` +
      'event instead of awaiting',
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

/** The list without one occurrence of the handler: it may be subscribed twice. */
function without(handlers: readonly Handler[], handler: Handler): readonly Handler[] {
  const at = handlers.lastIndexOf(handler);
  return handlers.filter((_, index) => index !== at);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

function eventSpec(contract: HalContract, name: string): EventSpec {
  const spec = contract.events.find((candidate) => candidate.name === name);
  if (spec === undefined) {
    throw new TypeError(`${contract.halName} declares no event "${name}"`);
  }
  return spec;
}
