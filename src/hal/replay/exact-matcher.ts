import type { CallSpec, FieldSpec } from '../contract/define.js';
import { argumentProblem, invalidArgument, type Method } from '../contract/derive.js';
import { fillKind, KIND, kindProblem, matchesKind } from '../contract/packed-values.js';
import { CALL_ERROR_FIELD, type TurnSchema } from '../contract/schema.js';
import { tagOf, WIRE_LENGTH, WireError, type WireReader } from '../contract/wire.js';
import type { Failure } from '../record/failure.js';
import type { Matcher } from './matcher.js';
import { CALL_TAG, FAILURE_TAG, TurnCursor } from './turn-cursor.js';
import { errorOf, readFailure } from './turn-decoder.js';

const ERROR_TAG = tagOf(CALL_ERROR_FIELD, WIRE_LENGTH);
const NO_TAG = -1;

/**
 * Same calls, same order, same bytes. Arguments are compared with the recorded bytes while these are decoded; nothing
 * is built but results.
 */
export class ExactMatcher implements Matcher {
  readonly cursor: TurnCursor;

  constructor(schema: TurnSchema, lane: string) {
    this.cursor = new TurnCursor(schema, lane);
  }

  beginTurn(bytes: Uint8Array, start: number, end: number): void {
    this.cursor.open(bytes, start, end);
  }

  endTurn(failure: Failure | undefined): void {
    const { cursor } = this;
    if (cursor.diverged !== undefined) throw cursor.diverged;
    const { reader } = cursor;
    let recorded: Failure | undefined;
    if (reader.position < reader.end) {
      if (reader.varint() !== FAILURE_TAG) cursor.divergeAtLeftover();
      const { end } = reader;
      reader.end = reader.length() + reader.position;
      recorded = readFailure(reader);
      reader.end = end;
    }
    if (recorded?.message !== failure?.message) cursor.divergeAtFailure(recorded, failure);
  }

  method(spec: CallSpec): Method {
    const { cursor } = this;
    const { reader, schema } = cursor;
    const tag = schema.tagOf(spec);
    const { args: argFields, results, outs, returnsOne } = spec;
    const only = returnsOne ? results[0] : undefined;
    const returnsNothing = results.length === 0 && outs.length === 0;
    // The two usual outcomes: one whole number, and one filled buffer.
    const isPlain = outs.length === 0 && only !== undefined && only.max >= 0;
    const plainTag = isPlain ? only.tag : NO_TAG;
    const plainMax = only?.max ?? 0;
    const onlyOut = results.length === 0 && outs.length === 1 ? outs[0] : undefined;
    const onlyOutTag = onlyOut?.tag ?? NO_TAG;
    const onlyOutKind = onlyOut?.kind ?? KIND.other;
    const refuse = (args: Record<string, unknown>): never => {
      if (cursor.diverged !== undefined) throw cursor.diverged;
      // An invalid call was refused before it was recorded; it is refused in the same way here.
      const problem = argumentProblem(spec, args);
      if (problem !== undefined) throw invalidArgument(spec, problem);
      return cursor.divergeAtCall(spec, args);
    };
    return (args) => {
      const start = reader.position;
      if (start >= reader.end || cursor.diverged !== undefined) return refuse(args);
      if (reader.varint() !== CALL_TAG) {
        reader.position = start;
        return refuse(args);
      }
      const callEnd = reader.length() + reader.position;
      if (reader.varint() !== tag) {
        reader.position = start;
        return refuse(args);
      }
      if (reader.length() + reader.position !== callEnd) throw falseLength(reader, spec);
      let index = 0;
      let filled: unknown;
      // As in the recorder: only so are the properties of ever other objects read fast.
      for (const name in args) {
        const field = argFields[index];
        if (field === undefined || field.name !== name) break;
        const value = args[name];
        const { isOut } = field;
        if (!isOut && field.max < 0) break;
        if (isOut) {
          if (kindProblem(field.kind, value) !== undefined) break;
          filled = value;
        }
        const recorded = reader.position < callEnd && reader.varint() === field.tag;
        const wanted = isOut ? (value as Uint8Array).length : value;
        if (!recorded || reader.varint() !== wanted) {
          reader.position = start;
          return refuse(args);
        }
        index++;
      }
      if (index < argFields.length && !argumentsMatch(reader, argFields, index, args, callEnd)) {
        reader.position = start;
        return refuse(args);
      }
      cursor.matched++;
      if (reader.position === callEnd && returnsNothing) return undefined;
      const mark = reader.position;
      if (mark < callEnd) {
        const found = reader.varint();
        if (found === ERROR_TAG) throw errorOf(readError(reader, callEnd));
        if (found === plainTag) {
          const result = reader.varint();
          if (result > plainMax || reader.position !== callEnd) throw falseLength(reader, spec);
          return result;
        }
        if (found === onlyOutTag && filled !== undefined) {
          fillKind(onlyOutKind, reader, filled as Uint8Array);
          if (reader.position !== callEnd) throw falseLength(reader, spec);
          return undefined;
        }
        reader.position = mark;
      }
      const result =
        only !== undefined ? readOne(reader, only, callEnd) : readResults(reader, results, callEnd);
      for (const field of outs) {
        if (reader.varint() !== field.tag) throw falseLength(reader, spec);
        field.codec.fill?.(reader, args[field.name]);
      }
      if (reader.position !== callEnd) throw falseLength(reader, spec);
      return result;
    };
  }
}

function falseLength(reader: WireReader, spec: CallSpec): WireError {
  const label = `${spec.contract.halName}.${spec.name}`;
  return new WireError(`the recorded call of ${label} is not encoded as declared`, reader.position);
}

/** Compares the arguments from the given one on. */
function argumentsMatch(
  reader: WireReader,
  fields: readonly FieldSpec[],
  from: number,
  args: Record<string, unknown>,
  callEnd: number,
): boolean {
  for (let index = from; index < fields.length; index++) {
    const field = fields[index] as FieldSpec;
    const value = args[field.name];
    if (value === undefined) {
      // An absent optional argument has no field.
      if (!field.isOptional) return false;
      if (reader.position < callEnd && nextIs(reader, field.tag)) return false;
      continue;
    }
    if (reader.position >= callEnd || reader.varint() !== field.tag) return false;
    if (field.max >= 0) {
      if (reader.varint() !== value) return false;
    } else if (field.isOut) {
      if (field.codec.check(value) !== undefined) return false;
      if (reader.varint() !== (value as { length: number }).length) return false;
    } else if (field.kind === KIND.other) {
      if (!field.codec.matches(reader, value)) return false;
    } else if (!(ArrayBuffer.isView(value) && matchesKind(field.kind, reader, value as Uint8Array)))
      return false;
  }
  return true;
}

function nextIs(reader: WireReader, tag: number): boolean {
  const mark = reader.position;
  const same = mark < reader.end && reader.varint() === tag;
  reader.position = mark;
  return same;
}

function readError(reader: WireReader, callEnd: number): Failure {
  const { end } = reader;
  reader.end = reader.length() + reader.position;
  const failure = readFailure(reader);
  reader.end = end;
  reader.position = callEnd;
  return failure;
}

function readOne(reader: WireReader, field: FieldSpec, callEnd: number): unknown {
  if (field.isOptional && (reader.position === callEnd || !nextIs(reader, field.tag))) {
    return undefined;
  }
  if (reader.varint() !== field.tag) {
    throw new WireError(`the result "${field.name}" is missing`, reader.position);
  }
  return field.codec.read(reader);
}

function readResults(reader: WireReader, fields: readonly FieldSpec[], callEnd: number): unknown {
  if (fields.length === 0) return undefined;
  const values: Record<string, unknown> = {};
  for (const field of fields) values[field.name] = readOne(reader, field, callEnd);
  return values;
}
