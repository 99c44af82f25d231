import { isUnsigned, named } from '../contract/codec.js';
import type { CallSpec, FieldSpec } from '../contract/define.js';
import { invalidArgument, type Method } from '../contract/derive.js';
import { KIND, kindProblem, writeKind } from '../contract/packed-values.js';
import { CALL_ERROR_FIELD, TURN } from '../contract/schema.js';
import { tagOf, varintSize, WIRE_LENGTH, type WireWriter, writeVarint } from '../contract/wire.js';
import { failureOf, writeFailure } from './failure.js';
import { smallCall } from './small-calls.js';

const CALL_TAG = tagOf(TURN.calls, WIRE_LENGTH);
const ERROR_TAG = tagOf(CALL_ERROR_FIELD, WIRE_LENGTH);
/** A tag and a number below 2^53. */
const NUMBER_BYTES = 12;
/** Tag and length of the call and of its entry, and a result. */
const HEAD_BYTES = 40;

/**
 * Wraps one call so that its arguments and its outcome are written into the turn under way. Arguments are checked on the
 * way: what does not fit its type cannot be written down, and the call is refused.
 *
 * @param tag the call's entry in the turn's schema.
 */
export function recordingCall(
  writer: WireWriter,
  tag: number,
  spec: CallSpec,
  inner: Method,
): Method {
  const { args: fields, outs, results, returnsOne } = spec;
  const only = returnsOne ? results[0] : undefined;
  const plainTag = only !== undefined && only.max >= 0 ? only.tag : 0;
  const onlyOut = outs.length === 1 ? outs[0] : undefined;
  const fixedBytes = HEAD_BYTES + fields.length * NUMBER_BYTES;
  // Calls of one kind are mostly alike, also in how many bytes their lengths take.
  let room = 1;
  const general: Method = (args) => {
    const start = writer.position;
    writer.reserve(fixedBytes);
    const { bytes } = writer;
    bytes[start] = CALL_TAG;
    const outer = start + 1;
    const mark = writeVarint(bytes, outer + room, tag);
    let at = mark + room;
    let index = 0;
    let filled: unknown;
    // The properties of ever other objects are read fast in a loop over their names, and in no other way. It serves
    // arguments that stand in the order of their declaration; what is left is looked up below.
    for (const name in args) {
      const field = fields[index];
      if (field === undefined || field.name !== name) break;
      const value = args[name];
      if (field.max >= 0) {
        if (!isUnsigned(value, field.max)) break;
        at = writeVarint(bytes, writeVarint(bytes, at, field.tag), value);
      } else if (field.isOut) {
        if (kindProblem(field.kind, value) !== undefined) break;
        filled = value;
        at = writeVarint(bytes, writeVarint(bytes, at, field.tag), (value as Uint8Array).length);
      } else {
        break;
      }
      index++;
    }
    writer.position = at;
    for (; index < fields.length; index++) {
      const field = fields[index] as FieldSpec;
      const value = args[field.name];
      if (field.isOut) filled = value;
      const problem = writeArgument(writer, field, value);
      if (problem !== undefined) {
        writer.position = start;
        throw invalidArgument(spec, named(field.name, problem));
      }
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
    if (plainTag > 0) writer.tagged(plainTag, result as number);
    else if (only !== undefined) writeField(writer, only, result);
    else if (results.length > 0) writeFields(writer, results, result as Record<string, unknown>);
    if (onlyOut !== undefined) {
      writer.varint(onlyOut.tag);
      writeValue(writer, onlyOut, filled);
    } else {
      for (const field of outs) writeField(writer, field, args[field.name]);
    }
    const innerLength = writer.position - mark - 1;
    const outerLength = writer.position - outer - 1;
    if (room === 1 && outerLength < 128) {
      writer.bytes[mark] = innerLength;
      writer.bytes[outer] = outerLength;
    } else {
      room = endCall(writer, outer, mark, room);
    }
    return result;
  };
  return smallCall({
    spec,
    writer,
    callTag: CALL_TAG,
    entryTag: tag,
    inner,
    general,
    fail: (start, error) => {
      writer.varint(ERROR_TAG);
      writeFailure(writer, failureOf(error));
      endCall(writer, start + 1, start + 4, 1);
      throw error;
    },
    endLong: (start) => void endCall(writer, start + 1, start + 4, 1),
    refuseResult: (result) => refuseBadResult(spec, only, results, result),
  });
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
    const problem = problemOf(only, result);
    if (problem !== undefined) throw badResult(spec, problem);
    return;
  }
  for (let index = 0; index < results.length; index++) {
    const field = results[index] as FieldSpec;
    const { name } = field;
    const problem = problemOf(field, (result as Record<string, unknown> | undefined)?.[name]);
    if (problem !== undefined) throw badResult(spec, named(name, problem));
  }
}

function badResult(spec: CallSpec, problem: string): TypeError {
  return new TypeError(
    `the implementation of ${spec.contract.halName}.${spec.name} returned what its declaration forbids: ${problem}`,
  );
}

function problemOf(field: FieldSpec, value: unknown): string | undefined {
  const { kind } = field;
  return kind === KIND.other ? field.codec.check(value) : kindProblem(kind, value);
}

/** Returns what is wrong with an argument, if anything is; nothing is written then. */
function writeArgument(writer: WireWriter, field: FieldSpec, value: unknown): string | undefined {
  const problem = problemOf(field, value);
  if (problem !== undefined) return problem;
  if (field.isOut) writer.tagged(field.tag, (value as { length: number }).length);
  else writeField(writer, field, value);
  return undefined;
}

/** The value with its tag; nothing for an optional one that is not there. */
function writeField(writer: WireWriter, field: FieldSpec, value: unknown): void {
  if (field.max >= 0) {
    writer.tagged(field.tag, value as number);
  } else if (!(value === undefined && field.isOptional)) {
    writer.varint(field.tag);
    writeValue(writer, field, value);
  }
}

function writeValue(writer: WireWriter, field: FieldSpec, value: unknown): void {
  const { kind } = field;
  if (kind === KIND.other) field.codec.write(writer, value);
  else writeKind(kind, writer, value as Uint8Array);
}

/** Named values: results, and the payloads of events. */
export function writeFields(
  writer: WireWriter,
  fields: readonly FieldSpec[],
  values: Readonly<Record<string, unknown>>,
): void {
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] as FieldSpec;
    writeField(writer, field, values[field.name]);
  }
}

/**
 * Fills in both lengths of a call, for which `room` bytes each were left, and moves what stands behind them if that was
 * the wrong guess.
 *
 * @returns the room that would have been right.
 */
function endCall(writer: WireWriter, outer: number, inner: number, room: number): number {
  const { position } = writer;
  const innerLength = position - inner - room;
  const innerRoom = varintSize(innerLength);
  const outerLength = inner - outer - room + innerRoom + innerLength;
  const outerRoom = varintSize(outerLength);
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
