import type { TraceChannel, TraceSchema } from './mcap-records.js';

/** The schemas and channels seen so far; a definition may be repeated but not changed. */
export class Catalogue {
  readonly schemas = new Map<number, TraceSchema>();
  readonly channels = new Map<number, TraceChannel>();
  /** By channel id: 1 where it is known. */
  known = new Uint8Array(64);

  /** @returns what is wrong with it, if anything is. */
  addSchema(schema: TraceSchema): string | undefined {
    const before = this.schemas.get(schema.id);
    if (before !== undefined) {
      return sameSchema(before, schema) ? undefined : `schema ${schema.id} is defined in two ways`;
    }
    this.schemas.set(schema.id, schema);
    return undefined;
  }

  /** @returns what is wrong with it, if anything is. */
  addChannel(channel: TraceChannel): string | undefined {
    const before = this.channels.get(channel.id);
    if (before !== undefined) {
      const same = sameChannel(before, channel);
      return same ? undefined : `channel ${channel.id} is defined in two ways`;
    }
    this.channels.set(channel.id, channel);
    if (channel.id >= this.known.length) this.#grow(channel.id + 1);
    this.known[channel.id] = 1;
    return undefined;
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(size, this.known.length * 2));
    grown.set(this.known);
    this.known = grown;
  }
}

function sameSchema(a: TraceSchema, b: TraceSchema): boolean {
  if (a.name !== b.name || a.encoding !== b.encoding) return false;
  return Buffer.compare(a.data, b.data) === 0;
}

function sameChannel(a: TraceChannel, b: TraceChannel): boolean {
  if (a.schemaId !== b.schemaId || a.topic !== b.topic) return false;
  if (a.messageEncoding !== b.messageEncoding || a.metadata.size !== b.metadata.size) return false;
  for (const [key, value] of a.metadata) if (b.metadata.get(key) !== value) return false;
  return true;
}
