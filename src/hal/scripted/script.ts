import type { AnyImplementation } from '../bind.js';
import type { CallSpec, EventSpec, HalContract, HalEvents, HalOf } from '../contract/define.js';
import { argumentProblem, type Method } from '../contract/derive.js';
import { HalError, type HalErrorCode } from '../contract/errors.js';
import type { Emitter, Implementation } from '../contract/implementation.js';
import { differences, formatArguments, formatEvent } from '../replay/format.js';
import { sameArguments } from '../replay/same-arguments.js';
import type { Values } from '../replay/turn-decoder.js';

type CallName<C> = keyof HalOf<C> & string;
type ArgumentsOf<M> = M extends (...args: infer A) => unknown ? A : never;
type ResultOf<M> = M extends (...args: never[]) => infer R ? R : never;
/** The buffers that a call fills are among its arguments. */
type Buffers<M> = M extends (args: infer A) => unknown ? Partial<A> : Record<never, never>;

type Outcome =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: HalError };

interface ExpectedCall {
  readonly kind: 'call';
  readonly spec: CallSpec;
  readonly args: Values;
  outcome: Outcome | undefined;
  fills: Values;
}

interface ScriptedEvent {
  readonly kind: 'event';
  readonly spec: EventSpec;
  readonly payload: Values;
}

type Step = ExpectedCall | ScriptedEvent;

/** What plays a script: the reactor. */
export interface ScriptPlayer {
  emitter(contract: HalContract): Emitter<HalContract>;
}

/** Says how an expected call ends. A call without result that is told nothing just succeeds. */
export class Expectation<M> {
  constructor(private readonly step: ExpectedCall) {}

  /** @throws TypeError if the declaration forbids the value. */
  returns(value: ResultOf<M>): this {
    const { spec } = this.step;
    const values = spec.returnsOne ? { result: value } : (value as Values | undefined);
    for (const { name, codec } of spec.results) {
      requireFit(`${labelOf(spec)} cannot return this: ${name}`, codec.check(values?.[name]));
    }
    this.step.outcome = { kind: 'result', value };
    return this;
  }

  /** The call fails. @param errno Linux errno, positive; with the system call that failed. */
  throws(code: HalErrorCode, errno?: number, syscall?: string): this {
    const message = `${labelOf(this.step.spec)} fails, as scripted`;
    this.step.outcome = { kind: 'error', error: new HalError(code, message, { errno, syscall }) };
    return this;
  }

  /** What the call puts into the buffers given to it, by their names; of the lengths expected. */
  fills(buffers: Buffers<M>): this {
    const { spec, args } = this.step;
    for (const [name, content] of Object.entries(buffers)) {
      const field = spec.outs.find((candidate) => candidate.name === name);
      if (field === undefined) throw new TypeError(`${labelOf(spec)} fills no "${name}"`);
      requireFit(`${labelOf(spec)} cannot fill ${name}: it`, field.codec.check(content));
      const wanted = (args[name] as { length: number }).length;
      const given = (content as { length: number }).length;
      if (wanted !== given) {
        throw new TypeError(
          `${labelOf(spec)}: ${name} is expected with ${wanted} elements, and filled with ${given}`,
        );
      }
    }
    this.step.fills = structuredClone(buffers) as Values;
    return this;
  }
}

/**
 * A fake of any contracts: calls are expected strictly in order, across all of them, and events come between. Nothing is
 * written by hand for a contract; types and checks are those of its declaration.
 */
export class Script {
  private readonly steps: Step[] = [];
  private next = 0;
  private failure: HalError | undefined;

  /**
   * Expects a call. Buffers to be filled are given with the length that is expected; their content does not count.
   *
   * @throws TypeError if the arguments do not fit the declaration.
   */
  expect<C extends HalContract, K extends CallName<C>>(
    contract: C,
    name: K,
    ...given: ArgumentsOf<HalOf<C>[K]>
  ): Expectation<HalOf<C>[K]> {
    const spec = contract.calls.find((candidate) => candidate.name === name);
    if (spec === undefined) throw new TypeError(`${contract.halName} declares no call "${name}"`);
    const args = structuredClone((given as unknown[])[0] ?? {}) as Record<string, unknown>;
    requireFit(`cannot expect ${labelOf(spec)}:`, argumentProblem(spec, args));
    const step: ExpectedCall = { kind: 'call', spec, args, outcome: undefined, fills: {} };
    this.steps.push(step);
    return new Expectation(step);
  }

  /** Adds an event: `play` delivers it when everything before it has happened. */
  event<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
    payload: HalEvents<C>[E],
  ): this {
    const spec = contract.events.find((candidate) => candidate.name === name);
    if (spec === undefined) throw new TypeError(`${contract.halName} declares no event "${name}"`);
    this.steps.push({ kind: 'event', spec, payload: structuredClone(payload) as Values });
    return this;
  }

  /** The fake of one contract. Those of several share the script's order. */
  implementation<C extends HalContract>(contract: C): Implementation<C> & AnyImplementation {
    const create = () => {
      const methods = contract.calls.map((spec) => [spec.name, this.method(spec)]);
      return Object.fromEntries(methods) as HalOf<C>;
    };
    return { contract, create };
  }

  /** The fake of one call. */
  method(spec: CallSpec): Method {
    return (args = {}) => this.answer(spec, args);
  }

  /**
   * Delivers the script's events to a reactor that has started, each as a turn of its own.
   *
   * @throws HalError LEFTOVER_EXPECTATIONS if a turn ended with calls still expected in it; UNEXPECTED_CALL
   */
  play(reactor: ScriptPlayer): void {
    for (let step = this.steps[this.next]; step !== undefined; step = this.steps[this.next]) {
      this.rethrow();
      if (step.kind === 'call') throw this.leftover('the turn has ended');
      this.next++;
      const emit = reactor.emitter(step.spec.contract) as Record<string, (payload: Values) => void>;
      emit[step.spec.name]?.(step.payload);
    }
    this.rethrow();
  }

  /**
   * Checks that all of it has happened.
   *
   * @throws HalError LEFTOVER_EXPECTATIONS; or the first UNEXPECTED_CALL again, if the program lived through it
   */
  done(): void {
    this.rethrow();
    if (this.next < this.steps.length) throw this.leftover('the script is over');
  }

  private answer(spec: CallSpec, args: Record<string, unknown>): unknown {
    this.rethrow();
    const step = this.steps[this.next];
    if (step?.kind !== 'call' || step.spec !== spec || !sameArguments(spec, step.args, args)) {
      this.failure = unexpected(this.next, step, spec, args);
      throw this.failure;
    }
    const outcome = step.outcome ?? { kind: 'result', value: undefined };
    if (step.outcome === undefined && spec.results.length > 0) {
      throw new TypeError(
        `step ${this.next} of the script, ${labelOf(spec)}, lacks its result. Add .returns(…) or .throws(…)`,
      );
    }
    this.next++;
    if (outcome.kind === 'error') throw outcome.error;
    for (const [name, content] of Object.entries(step.fills)) {
      (args[name] as Uint8Array).set(content as Uint8Array);
    }
    return outcome.value;
  }

  private rethrow(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private leftover(when: string): HalError {
    const left = this.steps.slice(this.next);
    const lines = left.map((step, index) => `  ${this.next + index}  ${describe(step)}`);
    return new HalError(
      'LEFTOVER_EXPECTATIONS',
      `${when}, and ${left.length} of ${this.steps.length} steps did not happen:\n${lines.join('\n')}`,
    );
  }
}

function unexpected(
  index: number,
  step: Step | undefined,
  spec: CallSpec,
  args: Record<string, unknown>,
): HalError {
  const lines = [
    `step ${index} of the script: ${labelOf(spec)} was called unexpectedly`,
    `  - expected  ${step === undefined ? 'nothing more' : describe(step)}`,
    `  + actual    ${formatArguments(spec, args)}`,
  ];
  if (step?.kind === 'call' && step.spec === spec) {
    for (const { field, expected, actual, note } of differences(spec, step.args, args)) {
      lines.push(`      ${field}: expected ${expected}, got ${actual}`);
      if (note !== undefined) lines.push(`        ${note}`);
    }
  }
  return new HalError('UNEXPECTED_CALL', lines.join('\n'));
}

function describe(step: Step): string {
  if (step.kind === 'call') return formatArguments(step.spec, step.args);
  return `the event ${formatEvent(step.spec, step.payload)}`;
}

function labelOf(spec: CallSpec): string {
  return `${spec.contract.halName}.${spec.name}`;
}

function requireFit(what: string, problem: string | undefined): void {
  if (problem !== undefined) throw new TypeError(`${what} ${problem}`);
}
