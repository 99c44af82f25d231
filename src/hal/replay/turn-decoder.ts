import type { CallSpec, EventSpec, FieldSpec } from '../contract/define.js';
import { HalError, type HalErrorCode } from '../contract/errors.js';
import { defaultOf } from '../contract/fields.js';
import { CALL_ERROR_FIELD, TURN, type TurnSchema } from '../contract/schema.js';
import { WIRE_VARINT, WireError, WireReader } from '../contract/wire.js';
import { type Failure, HANDLER_THREW } from '../record/failure.js';

export type Values = Readonly<Record<string, unknown>>;

export type Outcome =
  | { readonly kind: 'result'; readonly value: unknown; readonly outs: Values }
  | { readonly kind: 'error'; readonly failure: Failure };

export interface DecodedCall {
  readonly spec: CallSpec;
  /** Out buffers stand here with their content (or zeroes if the call failed). */
  readonly args: Values;
  readonly outcome: Outcome;
}

export interface DecodedTurn {
  readonly number: number;
  readonly timeNs: number;
  readonly event: { readonly spec: EventSpec; readonly payload: Values } | undefined;
  readonly calls: readonly DecodedCall[];
  readonly failure: Failure | undefined;
}

/** Makes the error that a recorded failure was. What was no HalError then is none now: handlers tell them apart. */
export function errorOf(failure: Failure): Error {
  if (failure.code === HANDLER_THREW) {
    const [, name = 'Error', message = failure.message] =
      /^(\w+): (.*)$/s.exec(failure.message) ?? [];
    const error = new Error(message);
    error.name = name;
    return error;
  }
  return new HalError(failure.code as HalErrorCode, failure.message, {
    errno: failure.errno,
    syscall: failure.syscall,
  });
}

/**
 * Decodes a whole turn, fields in any order and unknown ones skipped: for reports, inspection and files of other
 * writers. Replay's hot path does not come here.
 */
export function decodeTurn(
  schema: TurnSchema,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): DecodedTurn {
  const reader = new WireReader(bytes, start, end);
  let number = 0;
  let timeNs = 0;
  let event: DecodedTurn['event'];
  let failure: Failure | undefined;
  const calls: DecodedCall[] = [];
  while (reader.position < end) {
    const tag = reader.varint();
    const field = Math.floor(tag / 8);
    if (field === TURN.number) number = reader.varint();
    else if (field === TURN.timeNs) timeNs = reader.varint();
    else if (field === TURN.event) event = nested(reader, () => readEvent(schema, reader));
    else if (field === TURN.calls) calls.push(nested(reader, () => readCall(schema, reader)));
    else if (field === TURN.failure) failure = nested(reader, () => readFailure(reader));
    else reader.skip(tag);
  }
  return { number, timeNs, event, calls, failure };
}

/** Runs `body` with the reader bounded to the length-delimited field that comes next. */
function nested<T>(reader: WireReader, body: () => T): T {
  const length = reader.length();
  const outerEnd = reader.end;
  reader.end = reader.position + length;
  const value = body();
  if (reader.position !== reader.end) {
    throw new WireError('a message is longer than its fields', reader.position);
  }
  reader.end = outerEnd;
  return value;
}

function readEvent(schema: TurnSchema, reader: WireReader): NonNullable<DecodedTurn['event']> {
  const tag = reader.varint();
  const spec = schema.eventOfTag(tag);
  if (spec === undefined) throw unknownEntry('event', tag, reader);
  return { spec, payload: nested(reader, () => readEventPayload(spec, reader)) };
}

function unknownEntry(kind: string, tag: number, reader: WireReader): WireError {
  return new WireError(`no contract declares the ${kind} ${Math.floor(tag / 8)}`, reader.position);
}

/** Reads the fields of an event up to the reader's end. */
export function readEventPayload(spec: EventSpec, reader: WireReader): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  const { fields } = spec;
  // The usual case: all fields, in order. Anything else is sorted out by name below.
  let index = 0;
  let inOrder = 0;
  while (reader.position < reader.end) {
    const tag = reader.varint();
    let field = fields[index++];
    if (field?.tag === tag) {
      inOrder++;
    } else {
      field = fields.find((candidate) => candidate.tag === tag);
      if (field === undefined) {
        reader.skip(tag);
        continue;
      }
    }
    payload[field.name] = field.codec.read(reader);
  }
  if (inOrder === fields.length) return payload;
  for (const field of fields) {
    if (!(field.name in payload)) payload[field.name] = defaultOf(field.codec);
  }
  return payload;
}

function readCall(schema: TurnSchema, reader: WireReader): DecodedCall {
  const tag = reader.varint();
  const spec = schema.callOfTag(tag);
  if (spec === undefined) throw unknownEntry('call', tag, reader);
  return nested(reader, () => readCallBody(spec, reader));
}

function readCallBody(spec: CallSpec, reader: WireReader): DecodedCall {
  const args: Record<string, unknown> = {};
  const results: Record<string, unknown> = {};
  const outs: Record<string, unknown> = {};
  const lengths = new Map<string, number>();
  let failure: Failure | undefined;
  while (reader.position < reader.end) {
    const tag = reader.varint();
    const arg = spec.args.find((field) => field.tag === tag);
    if (arg?.codec.isOut === true) {
      lengths.set(arg.name, reader.varint());
      continue;
    }
    if (arg !== undefined) {
      args[arg.name] = arg.codec.read(reader);
      continue;
    }
    const result = spec.results.find((field) => field.tag === tag);
    const outField = spec.outs.find((field) => field.tag === tag);
    if (result !== undefined) results[result.name] = result.codec.read(reader);
    else if (outField !== undefined) outs[outField.name] = outField.codec.read(reader);
    else if (Math.floor(tag / 8) === CALL_ERROR_FIELD) {
      failure = nested(reader, () => readFailure(reader));
    } else reader.skip(tag);
  }
  for (const field of spec.outs) {
    // Other writers leave out what is empty.
    if (failure === undefined && lengthOf(lengths, field) === 0) {
      outs[field.name] ??= defaultOf(field.codec);
    }
  }
  for (const field of spec.args) {
    if (field.codec.isOut === true) {
      args[field.name] = outs[field.name] ?? zeroes(field, lengthOf(lengths, field));
    } else if (!(field.name in args)) args[field.name] = defaultOf(field.codec);
  }
  if (failure !== undefined) return { spec, args, outcome: { kind: 'error', failure } };
  for (const field of spec.results) {
    if (!(field.name in results)) results[field.name] = defaultOf(field.codec);
  }
  const value =
    spec.results.length === 0 ? undefined : spec.returnsOne ? results['result'] : results;
  return { spec, args, outcome: { kind: 'result', value, outs } };
}

function lengthOf(lengths: ReadonlyMap<string, number>, field: FieldSpec): number {
  return lengths.get(field.name) ?? 0;
}

function zeroes(field: FieldSpec, length: number): unknown {
  // A failed call filled nothing, and its buffer's length is all that is known of it.
  return { length, unfilled: field.name };
}

export function readFailure(reader: WireReader): Failure {
  const values: { code: string; errno?: number; syscall?: string; message: string } = {
    code: '',
    message: '',
  };
  while (reader.position < reader.end) {
    const tag = reader.varint();
    const field = Math.floor(tag / 8);
    if (field === 1) values.code = reader.text();
    else if (field === 2 && (tag & 7) === WIRE_VARINT) values.errno = reader.varint();
    else if (field === 3) values.syscall = reader.text();
    else if (field === 4) values.message = reader.text();
    else reader.skip(tag);
  }
  return {
    code: values.code,
    errno: values.errno,
    syscall: values.syscall,
    message: values.message,
  };
}
