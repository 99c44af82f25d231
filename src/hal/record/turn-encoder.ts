import { isUnsigned, named } from '../contract/codec.js';
import type { CallSpec, EventSpec, FieldSpec } from '../contract/define.js';
import { invalidArgument, type Method } from '../contract/derive.js';
import { HalError } from '../contract/errors.js';
import { CALL_ERROR_FIELD, TURN, type TurnSchema } from '../contract/schema.js';
import { tagOf, varintSize, WIRE_LENGTH, WIRE_VARINT, WireWriter } from '../contract/wire.js';

const NUMBER_TAG = tagOf(TURN.number, WIRE_VARINT);
const TIME_TAG = tagOf(TURN.timeNs, WIRE_VARINT);
const EVENT_TAG = tagOf(TURN.event, WIRE_LENGTH);
const CALL_TAG = tagOf(TURN.calls, WIRE_LENGTH);
const FAILURE_TAG = tagOf(TURN.failure, WIRE_LENGTH);
const ERROR_TAG = tagOf(CALL_ERROR_FIELD, WIRE_LENGTH);

/** Gets each turn, encoded, when it ends. The bytes are only valid during the call. */
export interface TurnSink {
  turn(number: number, timeNs: number, bytes: Uint8Array, end: number): void;
}

/** How a turn or a call failed, as the trace keeps it. */
export interface Failure {
  readonly code: string;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly message: string;
}

/** The code of what was thrown without being a HalError. */
export const HANDLER_THREW = 'HANDLER_THREW';

export function failureOf(error: unknown): Failure {
  if (HalError.is(error)) {
    const { code, errno, syscall } = error;
    return { code, errno, syscall, message: wellFormed(error.message) };
  }
  const message = wellFormed(
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  );
  return { code: HANDLER_THREW, errno: undefined, syscall: undefined, message };
}

/** As it will be read back: UTF-8 has no lone surrogates. */
function wellFormed(message: string): string {
  return message.replace(/\p{Surrogate}/gu, '\uFFFD');
}

export function writeFailure(writer: WireWriter, failure: Failure): void {
  const mark = writer.beginLength();
  writer.varint(tagOf(1, WIRE_LENGTH));
  writer.text(failure.code);
  if (failure.errno !== undefined) {
    writer.varint(tagOf(2, WIRE_VARINT));
    writer.varint(failure.errno);
  }
  if (failure.syscall !== undefined) {
    writer.varint(tagOf(3, WIRE_LENGTH));
    writer.text(failure.syscall);
  }
  writer.varint(tagOf(4, WIRE_LENGTH));
  writer.text(failure.message);
  writer.endLength(mark);
}

/**
 * Encodes turns as protobuf at call time: programs reuse their argument buffers, so nothing may be kept for later.
 */
export class TurnEncoder {
  private readonly writer = new WireWriter();
  private readonly schema: TurnSchema;
  private readonly sink: TurnSink;
  private number = 0;
  private timeNs = 0;

  constructor(schema: TurnSchema, sink: TurnSink) {
    this.schema = schema;
    this.sink = sink;
  }

  begin(
    number: number,
    timeNs: number,
    event: EventSpec | undefined,
    payload: Readonly<Record<string, unknown>> | undefined,
  ): void {
    const writer = this.writer;
    this.number = number;
    this.timeNs = timeNs;
    writer.position = 0;
    writer.varint(NUMBER_TAG);
    writer.varint(number);
    writer.varint(TIME_TAG);
    writer.varint(timeNs);
    if (event === undefined || payload === undefined) return;
    writer.varint(EVENT_TAG);
    const outer = writer.beginLength();
    writer.varint(this.schema.tagOf(event));
    const inner = writer.beginLength();
    writeValues(writer, event.fields, payload);
    writer.endLength(inner);
    writer.endLength(outer);
  }

  /** @param failure why the handler failed, if it did. */
  end(failure?: Failure): void {
    const writer = this.writer;
    if (failure !== undefined) {
      writer.varint(FAILURE_TAG);
      writeFailure(writer, failure);
    }
    this.sink.turn(this.number, this.timeNs, writer.bytes, writer.position);
  }

  /**
   * Wraps one call so that its arguments and its outcome are written into the turn under way. Arguments are checked on the
   * way: what does not fit its type cannot be written down, and the call is refused.
   */
  recording(spec: CallSpec, inner: Method): Method {
    const writer = this.writer;
    const tag = this.schema.tagOf(spec);
    const { args: argSpecs, outs, returnsOne } = spec;
    const results = spec.results;
    const only = returnsOne ? results[0] : undefined;
    // Calls of one kind are mostly alike, also in how many bytes their lengths take.
    let room = 1;
    return (args) => {
      const start = writer.position;
      writer.varint(CALL_TAG);
      const outer = writer.position;
      writer.position = outer + room;
      writer.varint(tag);
      const mark = writer.position;
      writer.position = mark + room;
      const problem = writeArguments(writer, argSpecs, args);
      if (problem !== undefined) {
        writer.position = start;
        throw invalidArgument(spec, problem);
      }
      let result: unknown;
      try {
        result = inner(args);
        refuseBadResult(spec, only, results, result);
      } catch (error) {
        writer.varint(ERROR_TAG);
        writeFailure(writer, failureOf(error));
        room = endCall(writer, outer, mark, room);
        throw error;
      }
      if (only !== undefined) writeOne(writer, only, result);
      else if (results.length > 0) writeValues(writer, results, result as Record<string, unknown>);
      for (let index = 0; index < outs.length; index++) {
        const field = outs[index] as FieldSpec;
        writer.varint(field.tag);
        field.codec.write(writer, args[field.name]);
      }
      room = endCall(writer, outer, mark, room);
      return result;
    };
  }
}

/** What does not fit its type cannot be written down; a trace must not hold something else in silence. */
function refuseBadResult(
  spec: CallSpec,
  only: FieldSpec | undefined,
  results: readonly FieldSpec[],
  result: unknown,
): void {
  if (only !== undefined) {
    if (only.max >= 0 && isUnsigned(result, only.max)) return;
    const problem = only.codec.check(result);
    if (problem !== undefined) throw badResult(spec, problem);
    return;
  }
  for (let index = 0; index < results.length; index++) {
    const { name, codec } = results[index] as FieldSpec;
    const problem = codec.check((result as Record<string, unknown> | undefined)?.[name]);
    if (problem !== undefined) throw badResult(spec, named(name, problem));
  }
}

function badResult(spec: CallSpec, problem: string): TypeError {
  return new TypeError(
    `the implementation of ${spec.contract.halName}.${spec.name} returned what its declaration forbids: ${problem}`,
  );
}

/** Returns what is wrong with the arguments, if anything is; some of them may be written then. */
function writeArguments(
  writer: WireWriter,
  fields: readonly FieldSpec[],
  args: Readonly<Record<string, unknown>>,
): string | undefined {
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] as FieldSpec;
    const value = args[field.name];
    if (field.max >= 0 && isUnsigned(value, field.max)) {
      writer.tagged(field.tag, value);
      continue;
    }
    const problem = field.codec.check(value);
    if (problem !== undefined) return named(field.name, problem);
    if (field.isOut) writer.tagged(field.tag, (value as { length: number }).length);
    else writeOne(writer, field, value);
  }
  return undefined;
}

function writeOne(writer: WireWriter, field: FieldSpec, value: unknown): void {
  if (field.max >= 0) {
    writer.tagged(field.tag, value as number);
  } else if (!(value === undefined && field.isOptional)) {
    writer.varint(field.tag);
    field.codec.write(writer, value);
  }
}

function writeValues(
  writer: WireWriter,
  fields: readonly FieldSpec[],
  values: Readonly<Record<string, unknown>>,
): void {
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] as FieldSpec;
    const value = values[field.name];
    if (field.isOut) writer.tagged(field.tag, (value as { length: number }).length);
    else writeOne(writer, field, value);
  }
}

/**
 * Fills in both lengths of a call, for which `room` bytes each were left, and moves what stands behind them if that was
 * the wrong guess.
 *
 * @returns the room that would have been right.
 */
function endCall(writer: WireWriter, outer: number, inner: number, room: number): number {
  const { bytes, position } = writer;
  const innerLength = position - inner - room;
  const innerRoom = varintSize(innerLength);
  const outerLength = inner - outer - room + innerRoom + innerLength;
  const outerRoom = varintSize(outerLength);
  if (room === 1 && outerLength < 128) {
    bytes[inner] = innerLength;
    bytes[outer] = outerLength;
    return 1;
  }
  const tagShift = outerRoom - room;
  const shift = tagShift + innerRoom - room;
  if (shift > 0) writer.reserve(shift);
  // To the right, what lies right moves first.
  if (shift > 0) writer.bytes.copyWithin(inner + room + shift, inner + room, position);
  if (tagShift !== 0) writer.bytes.copyWithin(outer + outerRoom, outer + room, inner);
  if (shift < 0) writer.bytes.copyWithin(inner + room + shift, inner + room, position);
  writer.position = outer;
  writer.varint(outerLength);
  writer.position = inner + tagShift;
  writer.varint(innerLength);
  writer.position = position + shift;
  return outerRoom;
}

/** Encodes the arguments of one call alone: scripted fakes compare by it. */
export function encodeArguments(
  spec: CallSpec,
  args: Readonly<Record<string, unknown>>,
): Uint8Array {
  const writer = new WireWriter(256);
  writeValues(writer, spec.args, args);
  return writer.bytes.slice(0, writer.position);
}
