import type { Codec, Fields } from './codec.js';
import { tagOf, WIRE_LENGTH, WireError, WireReader, type WireWriter } from './wire.js';

type Repeated = Codec<readonly unknown[]> & { readonly item?: Codec<unknown> };

/** Writes every field of a nested message, numbered from 1 in the order of declaration. */
export function writeFields(
  writer: WireWriter,
  fields: Fields,
  values: Readonly<Record<string, unknown>>,
): void {
  let number = 0;
  for (const name in fields) {
    number++;
    const codec = fields[name] as Repeated;
    const value = values[name];
    if (codec.item !== undefined) {
      const tag = tagOf(number, codec.item.wireType);
      for (const element of value as readonly unknown[]) {
        writer.varint(tag);
        codec.item.write(writer, element);
      }
    } else if (!(codec.isOptional === true && value === undefined)) {
      writer.varint(tagOf(number, codec.wireType));
      (codec as Codec<unknown>).write(writer, value);
    }
  }
}

/** Reads up to `reader.end`. Fields may come in any order; a missing one has its default, as protobuf 3 says. */
export function readFields(reader: WireReader, fields: Fields): Record<string, unknown> {
  const names = Object.keys(fields);
  const values: Record<string, unknown> = {};
  for (const name of names) {
    values[name] = defaultOf(fields[name] as Codec<unknown>);
  }
  while (reader.position < reader.end) {
    const tag = reader.varint();
    const name = names[Math.floor(tag / 8) - 1];
    const codec = name === undefined ? undefined : (fields[name] as Repeated);
    if (name === undefined || codec === undefined) {
      reader.skip(tag);
    } else if (codec.item !== undefined) {
      readRepeated(reader, tag, codec.item, values[name] as unknown[]);
    } else if ((tag & 7) === codec.wireType) {
      values[name] = codec.read(reader);
    } else {
      throw new WireError(`field "${name}" has wire type ${tag & 7}`, reader.position);
    }
  }
  return values;
}

/** One element, or a packed run of them: other writers pack lists of numbers. */
function readRepeated(
  reader: WireReader,
  tag: number,
  item: Codec<unknown>,
  into: unknown[],
): void {
  if ((tag & 7) === item.wireType) {
    into.push(item.read(reader));
    return;
  }
  if ((tag & 7) !== WIRE_LENGTH) {
    throw new WireError(`a list element has wire type ${tag & 7}`, reader.position);
  }
  const end = reader.length() + reader.position;
  while (reader.position < end) into.push(item.read(reader));
}

/** The value of a field that the sender left out (protobuf 3, "Default Values"). */
export function defaultOf(codec: Codec<unknown>): unknown {
  if ('item' in codec) return [];
  if (codec.isOptional === true) return undefined;
  const { type, values } = codec.proto;
  if (codec.wireType === WIRE_LENGTH && type !== 'string') {
    return codec.read(emptyMessage());
  }
  if (type === 'string') return '';
  if (type === 'bool') return false;
  if (type === 'fixed64') return 0n;
  if (type === 'enum') return values?.[0];
  return 0;
}

function emptyMessage(): WireReader {
  return new WireReader(new Uint8Array(1));
}
