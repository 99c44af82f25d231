import fc from 'fast-check';
import type { Codec } from '../../src/hal/contract/codec.js';
import type { CallSpec, EventSpec, FieldSpec } from '../../src/hal/contract/define.js';
import type { Method } from '../../src/hal/contract/derive.js';
import { HalError } from '../../src/hal/contract/errors.js';
import type { TurnSchema } from '../../src/hal/contract/schema.js';
import { TurnBuffer } from '../../src/hal/record/turn-buffer.js';
import { TurnEncoder } from '../../src/hal/record/turn-encoder.js';

const numbers = (max: number) =>
  fc.oneof(
    fc.integer({ min: 0, max: Math.min(max, 300) }),
    fc.maxSafeNat().map((n) => n % (max + 1)),
  );

const u32 = numbers(0xffffffff);

/** Ranges in any order, also empty and overlapping ones. */
const ranges = fc
  .array(fc.tuple(numbers(2 ** 51), numbers(2 ** 51 - 1)), { maxLength: 6 })
  .map((pairs) => Float64Array.from(pairs.flat()));

const wellFormed = fc.string({ unit: 'binary', maxLength: 12 });

const BY_NAME: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  u8: numbers(0xff),
  u16: numbers(0xffff),
  u32,
  u53: numbers(Number.MAX_SAFE_INTEGER),
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  bool: fc.boolean(),
  text: wellFormed,
  bytes: fc.uint8Array({ maxLength: 200 }),
  'u16[]': fc.uint16Array({ maxLength: 80 }),
  'u32[]': fc.uint32Array({ maxLength: 80 }),
  'u32[] (runs)': fc.oneof(
    fc.uint32Array({ maxLength: 80 }),
    fc
      .tuple(u32, fc.nat(80))
      .map(([from, count]) => new Uint32Array(count).map((_, i) => from + i)),
  ),
  'byte ranges': ranges,
};

/** Random values of a codec, by what it says of itself. */
export function valuesOf(codec: Codec<unknown>): fc.Arbitrary<unknown> {
  const name = codec.name.replace(/^filled /, '').replace(/, optional$/, '');
  if (codec.isOptional === true) {
    return fc.option(valuesOf({ ...codec, name, isOptional: false }), { nil: undefined });
  }
  const { type, values, fields } = codec.proto;
  const item =
    type === 'message' ? (fields?.['items'] as { item?: Codec<unknown> })?.item : undefined;
  if (item !== undefined) return fc.array(valuesOf(item), { maxLength: 4 });
  const known = BY_NAME[name];
  if (known !== undefined) return known;
  if (name.startsWith('milli-')) {
    return fc.integer({ min: -(2 ** 40), max: 2 ** 40 }).map((thousandths) => thousandths / 1000);
  }
  if (type === 'enum' && values !== undefined) return fc.constantFrom(...values);
  if (type === 'uint32') return u32;
  if (type === 'uint64') return numbers(Number.MAX_SAFE_INTEGER);
  if (type === 'message' && fields !== undefined) {
    return fc.record(
      Object.fromEntries(Object.entries(fields).map(([key, inner]) => [key, valuesOf(inner)])),
    );
  }
  throw new Error(`no random values for the codec ${codec.name}`);
}

function fieldValues(fields: readonly FieldSpec[]): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(fields.map((f) => [f.name, valuesOf(f.codec)])));
}

export interface RandomCall {
  readonly spec: CallSpec;
  readonly args: Record<string, unknown>;
  readonly results: Record<string, unknown>;
  readonly error: HalError | undefined;
}

const errors = fc
  .tuple(
    fc.constantFrom('SYSCALL_FAILED', 'OUT_OF_BOUNDS' as const),
    fc.integer({ min: 1, max: 130 }),
    wellFormed,
  )
  .map(
    ([code, errno, message]) =>
      new HalError(code as 'OUT_OF_BOUNDS', message, { errno, syscall: 'ioctl' }),
  );

export function callsOf(spec: CallSpec): fc.Arbitrary<RandomCall> {
  return fc
    .tuple(
      fieldValues(spec.args),
      fieldValues(spec.results),
      fc.option(errors, { nil: undefined, freq: 6 }),
    )
    .map(([args, results, error]) => ({ spec, args, results, error }));
}

export function payloadsOf(spec: EventSpec): fc.Arbitrary<Record<string, unknown>> {
  return fieldValues(spec.fields);
}

export interface RandomTurn {
  readonly number: number;
  readonly timeNs: number;
  readonly event:
    | { readonly spec: EventSpec; readonly payload: Record<string, unknown> }
    | undefined;
  readonly calls: readonly RandomCall[];
  readonly failure: HalError | undefined;
}

/** Random turns over all contracts of a schema. */
export function turnsOf(schema: TurnSchema): fc.Arbitrary<RandomTurn> {
  const calls = schema.contracts.flatMap((contract) => contract.calls);
  const events = schema.contracts.flatMap((contract) => contract.events);
  return fc.record({
    number: numbers(Number.MAX_SAFE_INTEGER),
    timeNs: numbers(Number.MAX_SAFE_INTEGER),
    event: fc.option(
      fc
        .constantFrom(...events)
        .chain((spec) => payloadsOf(spec).map((payload) => ({ spec, payload }))),
      { nil: undefined },
    ),
    calls: fc.array(fc.constantFrom(...calls).chain(callsOf), { maxLength: 5 }),
    failure: fc.option(errors, { nil: undefined, freq: 6 }),
  });
}

/** What the native side of a random call does: fills buffers, then returns or fails. */
export function nativeSide(call: RandomCall): Method {
  return () => {
    if (call.error !== undefined) throw call.error;
    const { spec, results } = call;
    if (spec.results.length === 0) return undefined;
    return spec.returnsOne ? results['result'] : results;
  };
}

/** Records one random turn. Out buffers are taken to be filled already. */
export function encodeTurn(schema: TurnSchema, turn: RandomTurn): Uint8Array {
  const buffer = new TurnBuffer();
  const encoder = new TurnEncoder(schema, buffer);
  encoder.begin(turn.number, turn.timeNs, turn.event?.spec, turn.event?.payload);
  for (const call of turn.calls) {
    try {
      encoder.recording(call.spec, nativeSide(call))(call.args);
    } catch (error) {
      if (error !== call.error) throw error;
    }
  }
  const { failure } = turn;
  encoder.end(
    failure === undefined
      ? undefined
      : {
          code: failure.code,
          errno: failure.errno,
          syscall: failure.syscall,
          message: failure.message,
        },
  );
  return buffer.turnBytes(0);
}
