import type { Codec, Fields } from './codec.js';
import { entryNumber, type FieldSpec, type HalContract, wireNameOf } from './define.js';
import { CALL_ERROR_FIELD, TURN, type TurnSchema } from './schema.js';
import { tagOf, WIRE_LENGTH, WIRE_VARINT, WireWriter } from './wire.js';

/** Full name of the root message of a trace. */
export const TURN_MESSAGE = 'halyard.Turn';
const PACKAGE = 'halyard';

// google/protobuf/descriptor.proto, FieldDescriptorProto.Type
const TYPE_NUMBER = {
  uint64: 4,
  fixed64: 6,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sint32: 17,
  sint64: 18,
} as const;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: keyof typeof TYPE_NUMBER;
  readonly repeated: boolean;
  readonly typeName?: string;
  /** Which of its message's oneofs holds the field. */
  readonly oneof?: number;
  /** Its presence counts: protobuf 3 then wants a oneof of its own around it. */
  readonly optional?: boolean;
}

interface Message {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly nested: readonly Message[];
  readonly enums: readonly { readonly name: string; readonly values: readonly string[] }[];
  readonly oneofs: readonly string[];
}

function pascal(name: string): string {
  return name.replace(/(^|[-_])([a-z0-9])/g, (_, __, letter: string) => letter.toUpperCase());
}

/** Collects the messages and enums that the fields of one message need inside it. */
class MessageBuilder {
  readonly fields: Field[] = [];
  readonly nested: Message[] = [];
  readonly enums: { name: string; values: string[] }[] = [];
  readonly oneofs: string[] = [];
  private readonly path: string;
  private readonly name: string;

  constructor(name: string, parentPath: string) {
    this.name = name;
    this.path = `${parentPath}.${name}`;
  }

  add(name: string, number: number, codec: Codec<unknown>): void {
    const { type, repeated = false, values, fields } = codec.proto;
    // Messages say by themselves whether they are there.
    const optional = codec.isOptional === true && type !== 'message';
    const presence = optional ? { optional, oneof: this.oneofs.push(`_${name}`) - 1 } : {};
    const typeName = pascal(name);
    const path = `${this.path}.${typeName}`;
    if (type === 'enum' && values !== undefined) {
      const prefix = name.toUpperCase();
      const valueNames = values.map(
        (v) => `${prefix}_${v.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`,
      );
      this.enums.push({ name: typeName, values: valueNames });
      this.fields.push({ name, number, type, repeated, typeName: path, ...presence });
    } else if (type === 'message' && fields !== undefined) {
      this.nested.push(messageOf(typeName, this.path, numbered(fields)));
      this.fields.push({ name, number, type, repeated, typeName: path });
    } else {
      this.fields.push({ name, number, type, repeated, ...presence });
    }
  }

  build(): Message {
    const { name, fields, nested, enums, oneofs } = this;
    return { name, fields, nested, enums, oneofs };
  }
}

interface Numbered {
  readonly wireName: string;
  readonly number: number;
  readonly codec: Codec<unknown>;
}

function numbered(fields: Fields): Numbered[] {
  return Object.entries(fields).map(([name, codec], index) => ({
    wireName: wireNameOf(name, codec),
    number: index + 1,
    codec,
  }));
}

function messageOf(name: string, parentPath: string, fields: readonly Numbered[]): Message {
  const builder = new MessageBuilder(name, parentPath);
  for (const field of fields) builder.add(field.wireName, field.number, field.codec);
  return builder.build();
}

const LENGTH_CODEC = { proto: { type: 'uint32' } } as Codec<unknown>;

function callMessages(contract: HalContract): Message[] {
  return contract.calls.map((spec) => {
    const builder = new MessageBuilder(
      `${pascal(contract.halName)}${pascal(spec.name)}Call`,
      `.${PACKAGE}`,
    );
    const isLength = (field: FieldSpec) => field.codec.isOut === true;
    for (const field of spec.args) {
      builder.add(field.wireName, field.number, isLength(field) ? LENGTH_CODEC : field.codec);
    }
    for (const field of [...spec.results, ...spec.outs]) {
      builder.add(field.wireName, field.number, field.codec);
    }
    builder.fields.push({
      name: 'error',
      number: CALL_ERROR_FIELD,
      type: 'message',
      repeated: false,
      typeName: `.${PACKAGE}.Failure`,
    });
    return builder.build();
  });
}

function eventMessages(contract: HalContract): Message[] {
  return contract.events.map((spec) =>
    messageOf(`${pascal(contract.halName)}${pascal(spec.name)}Event`, `.${PACKAGE}`, spec.fields),
  );
}

function choice(name: 'Call' | 'Event', schema: TurnSchema): Message {
  const fields: Field[] = [];
  for (const contract of schema.contracts) {
    const slot = schema.slotOf(contract);
    for (const spec of name === 'Call' ? contract.calls : contract.events) {
      const label = `${contract.halName.replaceAll('-', '_')}_${spec.name}`;
      fields.push({
        name: label.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        number: entryNumber(slot, spec.index),
        type: 'message',
        repeated: false,
        typeName: `.${PACKAGE}.${pascal(contract.halName)}${pascal(spec.name)}${name}`,
        oneof: 0,
      });
    }
  }
  return { name, fields, nested: [], enums: [], oneofs: ['kind'] };
}

const plain = (name: string, number: number, type: Field['type'], typeName?: string): Field => ({
  name,
  number,
  type,
  repeated: false,
  ...(typeName === undefined ? {} : { typeName }),
});

function frame(): Message[] {
  const failure: Message = {
    name: 'Failure',
    fields: [
      plain('code', 1, 'string'),
      plain('errno', 2, 'uint32'),
      plain('syscall', 3, 'string'),
      plain('message', 4, 'string'),
    ],
    nested: [],
    enums: [],
    oneofs: [],
  };
  const turn: Message = {
    name: 'Turn',
    fields: [
      plain('number', TURN.number, 'uint64'),
      plain('time_ns', TURN.timeNs, 'uint64'),
      plain('event', TURN.event, 'message', `.${PACKAGE}.Event`),
      { ...plain('calls', TURN.calls, 'message', `.${PACKAGE}.Call`), repeated: true },
      plain('failure', TURN.failure, 'message', `.${PACKAGE}.Failure`),
    ],
    nested: [],
    enums: [],
    oneofs: [],
  };
  return [turn, failure];
}

/** The schema that travels in a trace: a serialized google.protobuf.FileDescriptorSet. */
export function fileDescriptorSet(schema: TurnSchema): Uint8Array {
  const messages = [
    ...frame(),
    choice('Event', schema),
    choice('Call', schema),
    ...schema.contracts.flatMap((contract) => [
      ...eventMessages(contract),
      ...callMessages(contract),
    ]),
  ];
  const writer = new WireWriter(4096);
  submessage(writer, 1, () => {
    textField(writer, 1, 'halyard/turn.proto');
    textField(writer, 2, PACKAGE);
    for (const message of messages) submessage(writer, 4, () => writeMessage(writer, message));
    textField(writer, 12, 'proto3');
  });
  return writer.bytes.slice(0, writer.position);
}

function submessage(writer: WireWriter, number: number, body: () => void): void {
  writer.varint(tagOf(number, WIRE_LENGTH));
  const mark = writer.beginLength();
  body();
  writer.endLength(mark);
}

function textField(writer: WireWriter, number: number, value: string): void {
  writer.varint(tagOf(number, WIRE_LENGTH));
  writer.text(value);
}

function numberField(writer: WireWriter, number: number, value: number): void {
  writer.varint(tagOf(number, WIRE_VARINT));
  writer.varint(value);
}

/** DescriptorProto. */
function writeMessage(writer: WireWriter, message: Message): void {
  textField(writer, 1, message.name);
  for (const field of message.fields) submessage(writer, 2, () => writeField(writer, field));
  for (const nested of message.nested) submessage(writer, 3, () => writeMessage(writer, nested));
  for (const { name, values } of message.enums) {
    submessage(writer, 4, () => {
      textField(writer, 1, name);
      values.forEach((value, index) => {
        submessage(writer, 2, () => {
          textField(writer, 1, value);
          numberField(writer, 2, index);
        });
      });
    });
  }
  for (const oneof of message.oneofs) submessage(writer, 8, () => textField(writer, 1, oneof));
}

function jsonName(name: string): string {
  return name.replace(/_([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** FieldDescriptorProto. */
function writeField(writer: WireWriter, field: Field): void {
  textField(writer, 1, field.name);
  numberField(writer, 3, field.number);
  numberField(writer, 4, field.repeated ? LABEL_REPEATED : LABEL_OPTIONAL);
  numberField(writer, 5, TYPE_NUMBER[field.type]);
  if (field.typeName !== undefined) textField(writer, 6, field.typeName);
  if (field.oneof !== undefined) numberField(writer, 9, field.oneof);
  // protoc always sets the JSON name, and some readers do not compute it themselves.
  textField(writer, 10, jsonName(field.name));
  if (field.optional === true) numberField(writer, 17, 1);
}
