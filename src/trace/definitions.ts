import { ByteBuilder } from './byte-builder.js';
import { Opcode } from './mcap-records.js';

const MAX_ID = 0xffff;

/** A schema is written again after this many times its own size: 1.6 % at most, see `due`. */
const REPEAT_FACTOR = 64;

interface Definition {
  readonly record: Uint8Array;
  /** Bytes of chunks there were when it was last written; -1 for never. */
  writtenAt: number;
}

interface ChannelDefinition extends Definition {
  readonly schemaId: number;
  messages: number;
}

/** The schemas and channels of a file being written, encoded once. */
export class Definitions {
  readonly #schemas: Definition[] = [];
  readonly #channels: ChannelDefinition[] = [];

  get schemaCount(): number {
    return this.#schemas.length;
  }

  get channelCount(): number {
    return this.#channels.length;
  }

  /** @returns the schema's id, from 1. @throws RangeError beyond 65535 schemas. */
  addSchema(name: string, encoding: string, data: Uint8Array): number {
    const id = this.#schemas.length + 1;
    if (id > MAX_ID) throw new RangeError('a trace holds at most 65535 schemas');
    const builder = new ByteBuilder(64 + data.length);
    const mark = builder.beginRecord(Opcode.schema);
    builder.u16(id);
    builder.string(name);
    builder.string(encoding);
    builder.u32(data.length);
    builder.raw(data);
    builder.endRecord(mark);
    this.#schemas.push({ record: builder.bytes, writtenAt: -1 });
    return id;
  }

  /** @returns the channel's id, from 0. @throws RangeError for an unknown schema. */
  addChannel(
    topic: string,
    schemaId: number,
    messageEncoding: string,
    metadata: Iterable<readonly [string, string]>,
  ): number {
    const id = this.#channels.length;
    if (id > MAX_ID) throw new RangeError('a trace holds at most 65536 channels');
    if (schemaId !== 0 && this.#schemas[schemaId - 1] === undefined) {
      throw new RangeError(`channel "${topic}": there is no schema ${schemaId}; add it first`);
    }
    const builder = new ByteBuilder();
    const mark = builder.beginRecord(Opcode.channel);
    builder.u16(id);
    builder.u16(schemaId);
    builder.string(topic);
    builder.string(messageEncoding);
    builder.stringMap(metadata);
    builder.endRecord(mark);
    this.#channels.push({ record: builder.bytes, writtenAt: -1, schemaId, messages: 0 });
    return id;
  }

  /** @throws RangeError */
  count(channelId: number): void {
    this.#channel(channelId).messages += 1;
  }

  has(channelId: number): boolean {
    return this.#channels[channelId] !== undefined;
  }

  /**
   * The records that must stand in a chunk before a channel's first message in it. Each chunk
   * repeats its channels, and now and then their schemas, so that damage to one chunk does not
   * make the others unreadable.
   * @param chunkBytes bytes of uncompressed chunks before this one
   */
  due(channelId: number, chunkBytes: number): readonly Uint8Array[] {
    const channel = this.#channel(channelId);
    const schema = this.#schemas[channel.schemaId - 1];
    const records: Uint8Array[] = [];
    if (schema !== undefined && isDue(schema, chunkBytes)) {
      schema.writtenAt = chunkBytes;
      records.push(schema.record);
    }
    records.push(channel.record);
    return records;
  }

  schemaRecords(): readonly Uint8Array[] {
    return this.#schemas.map((schema) => schema.record);
  }

  channelRecords(): readonly Uint8Array[] {
    return this.#channels.map((channel) => channel.record);
  }

  /** Messages by channel id. */
  messageCounts(): readonly number[] {
    return this.#channels.map((channel) => channel.messages);
  }

  #channel(channelId: number): ChannelDefinition {
    const channel = this.#channels[channelId];
    if (channel === undefined) {
      throw new RangeError(`there is no channel ${channelId}; add it before its first message`);
    }
    return channel;
  }
}

function isDue(definition: Definition, chunkBytes: number): boolean {
  if (definition.writtenAt < 0) return true;
  return chunkBytes - definition.writtenAt >= REPEAT_FACTOR * definition.record.length;
}
