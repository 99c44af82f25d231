import { isUnsigned } from '../contract/codec.js';
import type { CallSpec, FieldSpec } from '../contract/define.js';
import type { Method } from '../contract/derive.js';
import { KIND, kindProblem, writeKind } from '../contract/packed-values.js';
import { type WireWriter, writeVarint } from '../contract/wire.js';

/*
 * The usual small calls, written out: up to three whole numbers, or two and a buffer to fill. A loop over declarations
 * serves every call and is fast for none, since neither the compiler can know which objects it reads nor the processor
 * how its branches go. Here each number of arguments has code of its own, which takes half the time. Whatever is unusual
 * (a wrong argument, say) goes to the general way before anything is written.
 */

/** Head, up to three numbers with their tags, and a result. */
const ROOM_BYTES = 64;
const MOST_TAG_OF_TWO_BYTES = 16383;
const ONE_BYTE = 128;
const CALL_HEAD_BYTES = 5;

/** What the encoder lends to the calls written out here. A call's head is its tag, length, entry (2 bytes), length. */
export interface SmallCallContext {
  readonly spec: CallSpec;
  readonly writer: WireWriter;
  readonly callTag: number;
  readonly entryTag: number;
  readonly inner: Method;
  /** Any call at all. */
  readonly general: Method;
  /** Writes down why the call failed, fills in its lengths, and throws the error again. */
  readonly fail: (start: number, error: unknown) => never;
  /** Fills in lengths that take more than a byte. */
  readonly endLong: (start: number) => void;
  readonly refuseResult: (result: unknown) => void;
}

function isSmallNumber(field: FieldSpec): boolean {
  return field.max >= 0 && field.tag < ONE_BYTE;
}

/** A method for a call that is among the usual ones; else the general one. */
export function smallCall(context: SmallCallContext): Method {
  const { spec, entryTag, general } = context;
  const { args, outs, results, returnsOne } = spec;
  const [first, second, third] = args;
  const hasPlainResult = results.length === 0 || (returnsOne && results.every(isSmallNumber));
  if (first === undefined || !hasPlainResult || entryTag > MOST_TAG_OF_TWO_BYTES) return general;
  if (outs.length === 0 && args.every(isSmallNumber)) {
    if (second === undefined) return oneNumber(context, first);
    if (third === undefined) return twoNumbers(context, first, second);
    return args.length === 3 ? threeNumbers(context, first, second, third) : general;
  }
  const isBuffer = outs.length === 1 && third?.isOut === true && third.kind !== KIND.other;
  if (!isBuffer || args.length !== 3 || second === undefined || results.length > 0) return general;
  if (!isSmallNumber(first) || !isSmallNumber(second)) return general;
  return twoNumbersAndBuffer(context, first, second, third);
}

/** Writes the head of a call, with room for its lengths and all that has a fixed size. */
function begin({ writer, callTag, entryTag }: SmallCallContext): number {
  const start = writer.position;
  writer.reserve(ROOM_BYTES);
  const { bytes } = writer;
  bytes[start] = callTag;
  bytes[start + 2] = (entryTag & 127) | 128;
  bytes[start + 3] = entryTag >>> 7;
  return start;
}

/** Fills in the lengths of the call that ends here. */
function end(context: SmallCallContext, start: number): void {
  const { bytes, position } = context.writer;
  const length = position - start - 2;
  if (length < ONE_BYTE) {
    bytes[start + 1] = length;
    bytes[start + 4] = length - 3;
  } else {
    context.endLong(start);
  }
}

/** Writes the result, if the call has one. */
function endWith(context: SmallCallContext, start: number, tag: number, result: unknown): void {
  if (tag > 0) {
    const { writer } = context;
    writer.bytes[writer.position] = tag;
    writer.position = writeVarint(writer.bytes, writer.position + 1, result as number);
  }
  end(context, start);
}

function resultTag({ spec }: SmallCallContext): number {
  return spec.results[0]?.tag ?? 0;
}

function resultMax({ spec }: SmallCallContext): number {
  return spec.results[0]?.max ?? 0;
}

function oneNumber(context: SmallCallContext, a: FieldSpec): Method {
  const { writer, inner, general, fail, refuseResult } = context;
  const { name: nameA, max: maxA, tag: tagA } = a;
  const tag = resultTag(context);
  const max = resultMax(context);
  return (args) => {
    const valueA = args[nameA];
    if (!isUnsigned(valueA, maxA)) return general(args);
    const start = begin(context);
    const { bytes } = writer;
    bytes[start + CALL_HEAD_BYTES] = tagA;
    writer.position = writeVarint(bytes, start + CALL_HEAD_BYTES + 1, valueA);
    let result: unknown;
    try {
      result = inner(args);
      if (tag > 0 && !isUnsigned(result, max)) refuseResult(result);
    } catch (error) {
      fail(start, error);
    }
    endWith(context, start, tag, result);
    return result;
  };
}

function twoNumbers(context: SmallCallContext, a: FieldSpec, b: FieldSpec): Method {
  const { writer, inner, general, fail, refuseResult } = context;
  const { name: nameA, max: maxA, tag: tagA } = a;
  const { name: nameB, max: maxB, tag: tagB } = b;
  const tag = resultTag(context);
  const max = resultMax(context);
  return (args) => {
    const valueA = args[nameA];
    const valueB = args[nameB];
    if (!isUnsigned(valueA, maxA) || !isUnsigned(valueB, maxB)) return general(args);
    const start = begin(context);
    const { bytes } = writer;
    bytes[start + CALL_HEAD_BYTES] = tagA;
    const at = writeVarint(bytes, start + CALL_HEAD_BYTES + 1, valueA);
    bytes[at] = tagB;
    writer.position = writeVarint(bytes, at + 1, valueB);
    let result: unknown;
    try {
      result = inner(args);
      if (tag > 0 && !isUnsigned(result, max)) refuseResult(result);
    } catch (error) {
      fail(start, error);
    }
    endWith(context, start, tag, result);
    return result;
  };
}

function threeNumbers(context: SmallCallContext, a: FieldSpec, b: FieldSpec, c: FieldSpec): Method {
  const { writer, inner, general, fail, refuseResult } = context;
  const { name: nameA, max: maxA, tag: tagA } = a;
  const { name: nameB, max: maxB, tag: tagB } = b;
  const { name: nameC, max: maxC, tag: tagC } = c;
  const tag = resultTag(context);
  const max = resultMax(context);
  return (args) => {
    const valueA = args[nameA];
    const valueB = args[nameB];
    const valueC = args[nameC];
    if (!isUnsigned(valueA, maxA) || !isUnsigned(valueB, maxB) || !isUnsigned(valueC, maxC)) {
      return general(args);
    }
    const start = begin(context);
    const { bytes } = writer;
    bytes[start + CALL_HEAD_BYTES] = tagA;
    let at = writeVarint(bytes, start + CALL_HEAD_BYTES + 1, valueA);
    bytes[at] = tagB;
    at = writeVarint(bytes, at + 1, valueB);
    bytes[at] = tagC;
    writer.position = writeVarint(bytes, at + 1, valueC);
    let result: unknown;
    try {
      result = inner(args);
      if (tag > 0 && !isUnsigned(result, max)) refuseResult(result);
    } catch (error) {
      fail(start, error);
    }
    endWith(context, start, tag, result);
    return result;
  };
}

function twoNumbersAndBuffer(
  context: SmallCallContext,
  a: FieldSpec,
  b: FieldSpec,
  buffer: FieldSpec,
): Method {
  const { spec, writer, inner, general, fail } = context;
  const { name: nameA, max: maxA, tag: tagA } = a;
  const { name: nameB, max: maxB, tag: tagB } = b;
  const { name: bufferName, tag: lengthTag, kind } = buffer;
  const contentTag = spec.outs[0]?.tag ?? 0;
  return (args) => {
    const valueA = args[nameA];
    const valueB = args[nameB];
    const filled = args[bufferName];
    if (!isUnsigned(valueA, maxA) || !isUnsigned(valueB, maxB)) return general(args);
    if (kindProblem(kind, filled) !== undefined) return general(args);
    const start = begin(context);
    const { bytes } = writer;
    bytes[start + CALL_HEAD_BYTES] = tagA;
    let at = writeVarint(bytes, start + CALL_HEAD_BYTES + 1, valueA);
    bytes[at] = tagB;
    at = writeVarint(bytes, at + 1, valueB);
    bytes[at] = lengthTag;
    at = writeVarint(bytes, at + 1, (filled as Uint8Array).length);
    writer.position = at;
    try {
      inner(args);
    } catch (error) {
      fail(start, error);
    }
    writer.position = writeVarint(bytes, at, contentTag);
    writeKind(kind, writer, filled as Uint8Array);
    end(context, start);
    return undefined;
  };
}
