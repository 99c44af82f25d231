import { ContainerModule, inject, injectable, type ServiceIdentifier } from 'inversify';
import type { AnyImplementation } from '../../src/hal/bind.js';
import type { EventSpec, HalContract } from '../../src/hal/contract/define.js';
import type { Method } from '../../src/hal/contract/derive.js';
import { HalError } from '../../src/hal/contract/errors.js';
import { implement } from '../../src/hal/contract/implementation.js';
import type { Program, ProgramRoot } from '../../src/program.js';
import { type EventSource, Reactor } from '../../src/reactor/reactor.js';
import { type Plan, type PlannedCall, resultOf } from './plan.js';

/** What the program saw, and what was injected into it. */
export interface Journal {
  readonly injected: Map<HalContract, Readonly<Record<string, Method>>>;
  readonly seen: unknown[];
}

export function newJournal(): Journal {
  return { injected: new Map(), seen: [] };
}

const JOURNAL: ServiceIdentifier<Journal> = Symbol('journal');
const PLAN: ServiceIdentifier<Plan> = Symbol('plan');

/** Makes the planned calls, each in its turn, and writes down what came of them. */
class PlannedRoot implements ProgramRoot {
  readonly #events: EventSource;
  readonly #journal: Journal;
  readonly #plan: Plan;
  #turn = 0;

  constructor(events: EventSource, journal: Journal, plan: Plan, ...hals: object[]) {
    this.#events = events;
    this.#journal = journal;
    this.#plan = plan;
    plan.contracts.forEach((contract, at) => {
      journal.injected.set(contract, hals[at] as Record<string, Method>);
    });
  }

  start(): void {
    const { contracts, calls, events } = this.#plan;
    for (const spec of contracts.flatMap((contract) => contract.events)) {
      const handler = (payload: object) => this.#handle(spec, payload);
      this.#events.on(spec.contract, spec.name as never, undefined, handler as never);
    }
    for (const call of calls) this.#make(call);
    if (events.length === 0) this.#events.stop();
  }

  #handle(spec: EventSpec, payload: object): void {
    const { events } = this.#plan;
    this.#journal.seen.push([labelOf(spec), payload]);
    const answer = events[this.#turn++]?.answer;
    if (answer !== undefined) this.#make(answer);
    if (this.#turn === events.length) this.#events.stop();
  }

  #make({ spec, args }: PlannedCall): void {
    // Each run fills buffers of its own.
    const given = structuredClone(args);
    const outcome = outcomeOf(() =>
      this.#journal.injected.get(spec.contract)?.[spec.name]?.(given),
    );
    this.#journal.seen.push([labelOf(spec), outcome, given]);
  }
}

function outcomeOf(call: () => unknown): unknown {
  try {
    return { result: call() };
  } catch (error) {
    if (!HalError.is(error)) throw error;
    const { code, errno, syscall } = error;
    return { code, errno, syscall };
  }
}

/** What a program should see if everything goes as planned. */
export function expectedOf({ calls, events }: Plan): unknown[] {
  const seen = (call: PlannedCall) => {
    const { spec, args, error, fills } = call;
    const outcome =
      error === undefined
        ? { result: resultOf(call) }
        : { code: error.code, errno: error.errno, syscall: error.syscall };
    return [labelOf(spec), outcome, { ...args, ...fills }];
  };
  const turns = events.map(({ spec, payload, answer }) => [
    [labelOf(spec), payload],
    ...(answer === undefined ? [] : [seen(answer)]),
  ]);
  return [...calls.map(seen), ...turns.flat()];
}

/** A root class to which every contract of the plan is injected by its token. */
function rootOf(contracts: readonly HalContract[]): ServiceIdentifier<ProgramRoot> {
  const Root = class extends PlannedRoot {};
  injectable()(Root);
  const tokens: readonly unknown[] = [Reactor, JOURNAL, PLAN, ...contracts];
  tokens.forEach((token, at) => {
    inject(token as ServiceIdentifier<object>)(Root, undefined, at);
  });
  return Root as unknown as ServiceIdentifier<ProgramRoot>;
}

/** The program of a plan. `bound` are the contracts that its profile is told of; the plan's own unless it lacks some. */
export function programOf(
  plan: Plan,
  journal: Journal,
  bound: readonly HalContract[] = plan.contracts,
): Program<undefined> {
  const root = rootOf(plan.contracts);
  const module = new ContainerModule(({ bind }) => {
    bind(JOURNAL).toConstantValue(journal);
    bind(PLAN).toConstantValue(plan);
    bind(root).to(root as unknown as new () => ProgramRoot);
  });
  return {
    package: 'halyard',
    export: 'everyContract',
    version: 1,
    contracts: bound,
    lanes: { main: { root, modules: () => [module] } },
    parseConfig: () => undefined,
  };
}

/** Hardware that does as planned, and remembers which calls reached it. */
export class PlannedHardware {
  readonly reached: { readonly label: string; readonly args: unknown }[] = [];
  readonly implementations: readonly AnyImplementation[];
  readonly #plan: Plan;
  readonly #emitters = new Map<HalContract, Readonly<Record<string, (payload: unknown) => void>>>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.implementations = plan.contracts.map((contract) =>
      implement(contract, (emit) => {
        this.#emitters.set(contract, emit as never);
        return this.#sideOf(contract) as never;
      }),
    );
  }

  /** Speaks the planned events. */
  speak(): void {
    for (const { spec, payload } of this.#plan.events) {
      this.#emitters.get(spec.contract)?.[spec.name]?.(payload);
    }
  }

  #sideOf(contract: HalContract): Record<string, Method> {
    const all = [...this.#plan.calls, ...this.#plan.events.flatMap(({ answer }) => answer ?? [])];
    const methods = contract.calls.map((spec): [string, Method] => {
      const planned = all.filter((call) => call.spec === spec);
      const method: Method = (args) => {
        this.reached.push({ label: labelOf(spec), args: structuredClone(args) });
        const next = planned.shift();
        if (next === undefined) throw new Error(`${labelOf(spec)} was not planned`);
        if (next.error !== undefined) throw next.error;
        for (const [name, content] of Object.entries(next.fills)) {
          (args[name] as Uint8Array).set(content);
        }
        return resultOf(next);
      };
      return [spec.name, method];
    });
    return Object.fromEntries(methods);
  }
}

export function labelOf(spec: { readonly contract: HalContract; readonly name: string }): string {
  return `${spec.contract.halName}.${spec.name}`;
}
