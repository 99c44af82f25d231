import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import fc from 'fast-check';
import type { Codec } from '../../../src/hal/contract/codec.js';
import type { FieldSpec } from '../../../src/hal/contract/define.js';
import { fileDescriptorSet, TURN_MESSAGE } from '../../../src/hal/contract/descriptor.js';
import { TurnSchema } from '../../../src/hal/contract/schema.js';
import { CONTRACTS } from '../../../src/hal/contract-list.js';
import { decodeTurn } from '../../../src/hal/replay/turn-decoder.js';
import { encodeTurn, type RandomCall, turnsOf } from '../arbitrary.js';
import { Toy } from './toy.js';

const schema = new TurnSchema([...CONTRACTS, Toy]);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet(schema)));

function turnMessage(): DescMessage {
  const message = registry.getMessage(TURN_MESSAGE);
  if (message === undefined) throw new Error(`${TURN_MESSAGE} is not in the descriptor`);
  return message;
}

test('the descriptor names every entry of every contract', (t) => {
  for (const contract of schema.contracts) {
    for (const spec of [...contract.calls, ...contract.events]) {
      const kind = spec.kind === 'call' ? 'Call' : 'Event';
      const choice = registry.getMessage(`halyard.${kind}`);
      const number = schema.tagOf(spec) >> 3;
      const field = choice?.fields.find((candidate) => candidate.number === number);
      t.is(field?.fieldKind, 'message', `${contract.halName}.${spec.name}`);
      t.is(field?.oneof?.name, 'kind');
    }
  }
});

test('a protobuf library reads our turns, and we read what it writes', (t) => {
  const Turn = turnMessage();
  fc.assert(
    fc.property(turnsOf(schema), (turn) => {
      const ours = encodeTurn(schema, turn);
      const decoded = decodeTurn(schema, ours);
      const message = fromBinary(Turn, ours);
      t.is(unknownFields(message), 0);
      // Zero defaults are left out, fields are in the order of their numbers.
      t.deepEqual(decodeTurn(schema, toBinary(Turn, message)), decoded);
      const json = toJson(Turn, message, { registry });
      t.deepEqual(decodeTurn(schema, toBinary(Turn, fromJson(Turn, json, { registry }))), decoded);
    }),
    { numRuns: 150 },
  );
});

test('fields in reverse order read to the same values', (t) => {
  const Turn = turnMessage();
  fc.assert(
    fc.property(turnsOf(schema), (turn) => {
      const ours = encodeTurn(schema, { ...turn, calls: turn.calls.slice(0, 1) });
      const reversed = reverseFields(ours, Turn);
      t.deepEqual(decodeTurn(schema, reversed), decodeTurn(schema, ours));
    }),
    { numRuns: 50 },
  );
});

/** Turns the top-level fields around, by the library's own knowledge of them: each field is written alone. */
function reverseFields(data: Uint8Array, message: DescMessage): Uint8Array {
  const value = fromBinary(message, data);
  const parts = [...message.fields].reverse().map((field) => {
    const json = toJson(message, value, { registry }) as Record<string, JsonValue>;
    const inner = json[field.jsonName];
    const only = fromJson(message, inner === undefined ? {} : { [field.jsonName]: inner }, {
      registry,
    });
    return toBinary(message, only);
  });
  return Buffer.concat(parts);
}

test('what the library sees is what was recorded', (t) => {
  const Turn = turnMessage();
  fc.assert(
    fc.property(turnsOf(schema), (turn) => {
      const json = toJson(Turn, fromBinary(Turn, encodeTurn(schema, turn)), {
        registry,
        alwaysEmitImplicit: true,
        useProtoFieldName: true,
      }) as { number: string; time_ns: string; calls: Record<string, Record<string, JsonValue>>[] };
      t.is(Number(json.number), turn.number);
      t.is(Number(json.time_ns), turn.timeNs);
      t.is(json.calls.length, turn.calls.length);
      turn.calls.forEach((call, index) => {
        const body = Object.values(json.calls[index] ?? {})[0] ?? {};
        t.deepEqual(fieldsOf(call, body), expectedFields(call));
      });
    }),
    { numRuns: 100 },
  );
});

/** What protobuf's JSON must show of a value. */
function jsonOf(codec: Codec<unknown>, wireName: string, value: unknown): unknown {
  const { type, values, fields, repeated } = codec.proto;
  if (codec.suffix === 'milli') return String(Math.round((value as number) * 1000));
  if (repeated === true) {
    const numbers = Array.from(value as ArrayLike<number>);
    if (codec.suffix === 'runs') return pairs(runs(numbers));
    return codec.suffix === 'delta' ? pairs(numbers) : numbers;
  }
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  if (type === 'enum') {
    const name = String(values?.[values.indexOf(value as string)])
      .toUpperCase()
      .replaceAll('-', '_');
    return `${wireName.toUpperCase()}_${name}`;
  }
  if (type === 'uint64' || type === 'fixed64') return String(value);
  if (type === 'message') return fields === undefined ? undefined : 'message';
  return value;
}

/** Pairs [start, length, …], each start as its distance from the end of the one before. */
function pairs(ranges: readonly number[]): string[] {
  let end = 0;
  return ranges.map((number, index) => {
    const isLength = index % 2 === 1;
    const shown = isLength ? number : number - end;
    end = isLength ? end + number : number;
    return String(shown);
  });
}

/** Numbers that grow by one, joined: [first, count, …]. */
function runs(numbers: readonly number[]): number[] {
  const found: number[] = [];
  numbers.forEach((number, index) => {
    if (index > 0 && number === (numbers[index - 1] as number) + 1)
      found.push((found.pop() ?? 0) + 1);
    else found.push(number, 1);
  });
  return found;
}

function expectedFields({ spec, args, results, error }: RandomCall): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const put = (field: FieldSpec, value: unknown) => {
    if (value !== undefined) found[field.wireName] = jsonOf(field.codec, field.wireName, value);
  };
  for (const field of spec.args) {
    if (field.codec.isOut === true) found[field.wireName] = (args[field.name] as Uint8Array).length;
    else put(field, args[field.name]);
  }
  if (error !== undefined) return { ...found, error: error.message };
  for (const field of spec.results) put(field, results[field.name]);
  for (const field of spec.outs) put(field, args[field.name]);
  return found;
}

function fieldsOf(
  call: RandomCall,
  body: Readonly<Record<string, JsonValue>>,
): Record<string, unknown> {
  const { spec, error } = call;
  const found: Record<string, unknown> = {};
  const kept = error === undefined ? [...spec.args, ...spec.results, ...spec.outs] : spec.args;
  for (const { wireName, codec } of kept) {
    const value = body[wireName];
    if (value === undefined) continue;
    found[wireName] = codec.proto.type === 'message' ? 'message' : value;
  }
  if (error !== undefined) {
    const failure = body['error'] as { message: string; errno: number; code: string };
    requireSame(failure.errno, error.errno);
    requireSame(failure.code, error.code);
    found['error'] = failure.message;
  }
  return found;
}

function requireSame(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`got ${String(actual)}, expected ${String(expected)}`);
}

function unknownFields(message: object): number {
  let count = (message as { $unknown?: unknown[] }).$unknown?.length ?? 0;
  for (const value of Object.values(message)) {
    if (typeof value === 'object' && value !== null && '$typeName' in value)
      count += unknownFields(value);
    if (Array.isArray(value)) {
      for (const element of value as unknown[]) {
        if (typeof element === 'object' && element !== null) count += unknownFields(element);
      }
    }
  }
  return count;
}
