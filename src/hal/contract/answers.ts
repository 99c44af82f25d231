import type { CallSpec, EventSpec, HalContract } from './define.js';
import { HalError } from './errors.js';

interface Pending {
  readonly event: EventSpec;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly key: number;
  readonly turn: number;
}

/** An event that was delivered and never answered. */
export interface Unanswered {
  readonly contract: string;
  readonly event: string;
  readonly key: number;
  readonly turn: number;
}

/**
 * Keeps account of the events that want an answer (a vCPU's exit): each is answered exactly once, in the same turn or a
 * later one. The rule comes from the declaration (`answers`), so it holds in every profile alike.
 */
export class AnswerLedger {
  private readonly byEvent = new Map<EventSpec, Map<number, Pending>>();
  private readonly answeredBy = new Map<EventSpec, CallSpec>();

  constructor(contracts: readonly HalContract[]) {
    for (const contract of contracts) {
      for (const call of contract.calls) {
        const answer = call.definition.options.answers;
        if (answer === undefined) continue;
        const event = contract.events.find((candidate) => candidate.name === answer.event);
        if (event === undefined) {
          throw new TypeError(
            `${contract.halName}.${call.name} answers "${answer.event}", which is not declared`,
          );
        }
        this.byEvent.set(event, new Map());
        this.answeredBy.set(event, call);
      }
    }
  }

  /** An event is about to be delivered in the given turn. */
  asked(event: EventSpec, payload: Readonly<Record<string, unknown>>, turn: number): void {
    const pending = this.byEvent.get(event);
    const answer = this.answeredBy.get(event)?.definition.options.answers;
    if (pending === undefined || answer === undefined) return;
    const key = payload[answer.key] as number;
    pending.set(key, { event, payload, key, turn });
  }

  /** Wraps a call that answers an event; other calls are returned as they are. */
  guard(
    spec: CallSpec,
    inner: (args: Record<string, unknown>) => unknown,
  ): (args: Record<string, unknown>) => unknown {
    const answer = spec.definition.options.answers;
    const event = spec.contract.events.find((candidate) => candidate.name === answer?.event);
    const waiting = event === undefined ? undefined : this.byEvent.get(event);
    if (answer === undefined || waiting === undefined) return inner;
    return (args) => {
      const key = args[answer.key] as number;
      const pending = waiting.get(key);
      if (pending === undefined) {
        throw new HalError(
          'NOT_WAITING',
          `${spec.contract.halName}.${spec.name}: ${answer.key} ${key} has no unanswered ` +
            `"${answer.event}". Answer each exactly once`,
        );
      }
      waiting.delete(key);
      try {
        return inner(args);
      } catch (error) {
        if (HalError.is(error)) waiting.set(key, pending);
        throw error;
      }
    };
  }

  /** What a failed handler left unanswered in its own turn, with the declared answer for it. */
  failures(turn: number): { call: CallSpec; args: Record<string, unknown> }[] {
    const found: { call: CallSpec; args: Record<string, unknown> }[] = [];
    for (const [event, pending] of this.byEvent) {
      const call = this.answeredBy.get(event);
      const answer = call?.definition.options.answers;
      if (call === undefined || answer === undefined) continue;
      for (const entry of pending.values()) {
        if (entry.turn !== turn) continue;
        found.push({ call, args: answer.onFailure(entry.payload as never) });
      }
    }
    return found;
  }

  unanswered(): Unanswered[] {
    const found: Unanswered[] = [];
    for (const pending of this.byEvent.values()) {
      for (const { event, key, turn } of pending.values()) {
        found.push({ contract: event.contract.halName, event: event.name, key, turn });
      }
    }
    return found;
  }
}
