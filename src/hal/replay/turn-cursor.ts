import type { CallSpec } from '../contract/define.js';
import { TURN, type TurnSchema } from '../contract/schema.js';
import { tagOf, WIRE_LENGTH, WIRE_VARINT, WireError, WireReader } from '../contract/wire.js';
import type { Failure } from '../record/failure.js';
import {
  callerStack,
  DivergenceError,
  type DivergenceKind,
  type DivergenceReport,
  type NearestMatch,
} from './divergence.js';
import {
  differences,
  type FieldDifference,
  formatArguments,
  formatCall,
  formatEvent,
} from './format.js';
import {
  type DecodedCall,
  type DecodedTurn,
  decodeTurn,
  readEventPayload,
  type Values,
} from './turn-decoder.js';

const NUMBER_TAG = tagOf(TURN.number, WIRE_VARINT);
const TIME_TAG = tagOf(TURN.timeNs, WIRE_VARINT);
const EVENT_TAG = tagOf(TURN.event, WIRE_LENGTH);
export const CALL_TAG = tagOf(TURN.calls, WIRE_LENGTH);
export const FAILURE_TAG = tagOf(TURN.failure, WIRE_LENGTH);

/** Gives the recorded turns of one lane, in order. The bytes are valid until the next call of `next`. */
export interface TurnSource {
  /** Steps to the next turn; false after the last one. */
  next(): boolean;
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly end: number;
}

const CONTEXT_CALLS = 3;

/** The recorded turn that is being replayed: where it starts, how far it was matched, and what to say of it. */
export class TurnCursor {
  readonly reader = new WireReader();
  readonly schema: TurnSchema;
  readonly lane: string;
  number = 0;
  timeNs = 0;
  /** How many calls of this turn were matched. */
  matched = 0;
  event: DecodedTurn['event'];
  /** The first divergence; after it nothing matches any more. */
  diverged: DivergenceError | undefined;
  private start = 0;

  constructor(schema: TurnSchema, lane: string) {
    this.schema = schema;
    this.lane = lane;
  }

  /** Reads a turn's head; the reader then stands at its first call. */
  open(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.reader;
    reader.reset(bytes, start, end);
    this.start = start;
    this.matched = 0;
    this.event = undefined;
    if (reader.varint() !== NUMBER_TAG) throw new WireError('a turn without its number', start);
    this.number = reader.varint();
    if (reader.varint() !== TIME_TAG) throw new WireError('a turn without its time', start);
    this.timeNs = reader.varint();
    const mark = reader.position;
    if (mark === end || reader.varint() !== EVENT_TAG) {
      reader.position = mark;
      return;
    }
    const eventEnd = reader.length() + reader.position;
    const tag = reader.varint();
    const spec = this.schema.eventOfTag(tag);
    if (spec === undefined) throw new WireError(`no contract declares the event ${tag >> 3}`, mark);
    reader.end = reader.length() + reader.position;
    this.event = { spec, payload: readEventPayload(spec, reader) };
    if (reader.position !== eventEnd) throw new WireError('an event with a false length', mark);
    reader.end = end;
  }

  /** The whole recorded turn, decoded. Only for reports and for `effects`. */
  decode(): DecodedTurn {
    return decodeTurn(this.schema, this.reader.bytes, this.start, this.reader.end);
  }

  describeEvent(): string {
    return this.event === undefined ? 'start-up' : formatEvent(this.event.spec, this.event.payload);
  }

  /** Records the first divergence and throws it; later ones throw the first again. */
  diverge(details: {
    readonly kind: DivergenceKind;
    readonly summary: string;
    readonly expected?: string | undefined;
    readonly actual?: string | undefined;
    readonly differences?: readonly FieldDifference[];
    readonly nearestLater?: NearestMatch | undefined;
    readonly call?: number;
    readonly calls?: readonly DecodedCall[];
  }): never {
    if (this.diverged !== undefined) throw this.diverged;
    const calls = details.calls ?? [];
    const at = details.call ?? this.matched;
    const report: DivergenceReport = {
      kind: details.kind,
      lane: this.lane,
      turn: this.number,
      call: at,
      timeNs: this.timeNs,
      event: this.describeEvent(),
      summary: details.summary,
      expected: details.expected,
      actual: details.actual,
      differences: details.differences ?? [],
      matchedBefore: calls.slice(Math.max(0, at - CONTEXT_CALLS), at).map(formatCall),
      expectedNext: calls.slice(at + 1, at + 1 + CONTEXT_CALLS).map(formatCall),
      nearestLater: details.nearestLater,
      leftover: Math.max(0, calls.length - at),
      stack: callerStack(),
      recordAgain: undefined,
    };
    this.diverged = new DivergenceError(report);
    throw this.diverged;
  }

  /** The actual call is not the next recorded one: says how they differ. */
  divergeAtCall(spec: CallSpec, args: Values): never {
    const { calls } = this.decode();
    const expected = calls[this.matched];
    const actual = formatArguments(spec, args);
    if (expected === undefined) {
      this.diverge({
        kind: 'extra-call',
        summary: `${spec.contract.halName}.${spec.name} was called; the recorded turn has no more calls`,
        actual,
        calls,
      });
    }
    const nearestLater = nearest(calls, this.matched, this.number, spec, args);
    const sameCall = expected.spec === spec;
    this.diverge({
      kind: sameCall ? 'different-argument' : 'different-call',
      summary: sameCall
        ? `${spec.contract.halName}.${spec.name} was called with other arguments`
        : `expected ${expected.spec.contract.halName}.${expected.spec.name}, got ` +
          `${spec.contract.halName}.${spec.name}`,
      expected: formatCall(expected),
      actual,
      differences: sameCall ? differences(spec, expected.args, args) : [],
      nearestLater,
      calls,
    });
  }

  /** The handler ended with recorded calls left. */
  divergeAtLeftover(): never {
    const { calls } = this.decode();
    const expected = calls[this.matched];
    this.diverge({
      kind: 'missing-call',
      summary: `the handler ended, and ${calls.length - this.matched} recorded calls were not made`,
      expected: expected === undefined ? undefined : formatCall(expected),
      calls,
    });
  }

  /** The handler failed otherwise than the recorded one, or only one of them did. */
  divergeAtFailure(recorded: Failure | undefined, actual: Failure | undefined): never {
    const say = (failure: Failure | undefined) =>
      failure === undefined ? 'the handler succeeds' : `the handler fails: ${failure.message}`;
    this.diverge({
      kind: 'different-failure',
      summary: 'the handler ended otherwise than recorded',
      expected: say(recorded),
      actual: say(actual),
      calls: this.decode().calls,
    });
  }
}

export function nearest(
  calls: readonly DecodedCall[],
  from: number,
  turn: number,
  spec: CallSpec,
  args: Values,
): NearestMatch | undefined {
  for (let index = from; index < calls.length; index++) {
    const candidate = calls[index];
    if (candidate?.spec !== spec || differences(spec, candidate.args, args).length > 0) continue;
    return {
      turn,
      call: index,
      text: formatCall(candidate),
      hint: 'the same call is recorded later, was something skipped or reordered?',
    };
  }
  return undefined;
}
