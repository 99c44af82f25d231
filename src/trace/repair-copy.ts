import type { ByteSource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import type { Catalogue } from './catalogue.js';
import { ChunkDecoder } from './chunk-decoder.js';
import { visitRecords } from './chunk-records.js';
import type { IntactRecord, RepairDamage } from './damage-scan.js';
import { FieldReader } from './field-reader.js';
import type { TraceLimits } from './limits.js';
import { HEADER_METADATA_NAME, Opcode, RECORD_HEAD_BYTES, TWO_POW_32 } from './mcap-records.js';
import { readAttachmentHead, readMetadata } from './record-fields.js';
import { TraceWriter } from './writer.js';

export interface ChannelRecovery {
  /** In the new file. */
  readonly channelId: number;
  readonly topic: string;
  readonly turns: number;
}

export interface RepairReport {
  readonly turnsRecovered: readonly ChannelRecovery[];
  /** All turns lost, if the statistics of the damaged file survived. */
  readonly turnsLost: number | undefined;
  readonly bytesSkipped: number;
  /** In the order of the file; empty if nothing was wrong. */
  readonly damages: readonly RepairDamage[];
}

/** Metadata record that marks a file as repaired. */
const REPAIR_METADATA_NAME = 'halyard.repair';

/** What was found out about the damaged file before anything is written. */
export interface Diagnosis {
  readonly library: string;
  readonly catalogue: Catalogue;
  readonly intact: readonly IntactRecord[];
  readonly damages: RepairDamage[];
  readonly turnsExpected: number | undefined;
}

/** The second half of a repair: writes what is intact into the new file. */
export class RepairCopy {
  readonly #source: ByteSource;
  readonly #diagnosis: Diagnosis;
  readonly #window: ByteWindow;
  readonly #decoder: ChunkDecoder;
  readonly #writer: TraceWriter;
  readonly #schemaIds = new Map<number, number>();
  readonly #channelIds = new Map<number, number>();
  readonly #turns = new Map<number, number>();

  constructor(source: ByteSource, limits: TraceLimits, diagnosis: Diagnosis, outPath: string) {
    this.#source = source;
    this.#diagnosis = diagnosis;
    this.#window = new ByteWindow(source);
    this.#decoder = new ChunkDecoder(source.file, source.size, limits, true);
    const { library } = diagnosis;
    this.#writer = new TraceWriter({
      path: outPath,
      exclusive: true,
      library,
      compression: this.#anyCompressed() ? 'zstd' : 'none',
    });
  }

  run(): RepairReport {
    try {
      return this.#copyAll();
    } finally {
      this.#writer.close();
    }
  }

  #copyAll(): RepairReport {
    this.#define();
    for (const record of this.#diagnosis.intact) {
      if (record.opcode === Opcode.chunk) this.#copyChunk(record);
      else if (record.opcode === Opcode.metadata) this.#copyMetadata(record);
      else if (record.opcode === Opcode.attachment) this.#copyAttachment(record);
    }
    const report = this.#report();
    if (report.damages.length > 0) this.#mark(report);
    return report;
  }

  #anyCompressed(): boolean {
    return this.#diagnosis.intact.some((record) => {
      if (record.opcode !== Opcode.chunk) return false;
      const fields = loadRecord(this.#window, this.#source, record, 'chunk');
      fields.skip(28);
      return fields.string() !== '';
    });
  }

  #define(): void {
    const { schemas, channels } = this.#diagnosis.catalogue;
    for (const schema of [...schemas.values()].sort((a, b) => a.id - b.id)) {
      const id = this.#writer.addSchema(schema.name, schema.encoding, schema.data);
      this.#schemaIds.set(schema.id, id);
    }
    for (const channel of [...channels.values()].sort((a, b) => a.id - b.id)) {
      const schemaId = this.#schemaIds.get(channel.schemaId);
      if (channel.schemaId !== 0 && schemaId === undefined) {
        this.#lost(`the schema of channel "${channel.topic}" is lost; its turns are kept`);
      }
      const metadata = Object.fromEntries(channel.metadata);
      const { topic, messageEncoding } = channel;
      const id = this.#writer.addChannel(topic, schemaId ?? 0, messageEncoding, metadata);
      this.#channelIds.set(channel.id, id);
      this.#turns.set(channel.id, 0);
    }
  }

  #copyChunk(record: IntactRecord): void {
    const fields = loadRecord(this.#window, this.#source, record, 'chunk');
    this.#decoder.decode(this.#window.bytes, fields, record.position);
    const { bytes, start, end } = this.#decoder;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let orphans = 0;
    visitRecords(bytes, start, end, (opcode, content, length) => {
      if (opcode !== Opcode.message) return;
      const channelId = view.getUint16(content, true);
      const target = this.#channelIds.get(channelId);
      if (target === undefined) {
        orphans += 1;
        return;
      }
      const high = view.getUint32(content + 10, true);
      const logTimeNs = view.getUint32(content + 6, true) + high * TWO_POW_32;
      const message = bytes.subarray(content - RECORD_HEAD_BYTES, content + length);
      this.#writer.copyMessage(target, logTimeNs, message);
      this.#turns.set(channelId, (this.#turns.get(channelId) ?? 0) + 1);
    });
    if (orphans > 0) this.#lost('turns of a channel that nothing defines', record, orphans);
  }

  #copyMetadata(record: IntactRecord): void {
    const fields = loadRecord(this.#window, this.#source, record, 'metadata');
    const { name, entries } = readMetadata(fields, record.position, true);
    if (name === HEADER_METADATA_NAME) return;
    this.#writer.writeMetadata(name, Object.fromEntries(entries));
  }

  #copyAttachment(record: IntactRecord): void {
    const fields = loadRecord(this.#window, this.#source, record, 'attachment');
    const { name, mediaType, sizeBytes } = readAttachmentHead(fields, record.position);
    this.#writer.writeAttachment(name, mediaType, fields.copy(sizeBytes));
  }

  #lost(reason: string, record?: IntactRecord, turnsLost?: number): void {
    const position = record?.position ?? 0;
    this.#diagnosis.damages.push({ position, bytes: 0, reason, turnsLost });
  }

  #report(): RepairReport {
    const { catalogue, damages, turnsExpected } = this.#diagnosis;
    const turnsRecovered = [...this.#turns].map(([id, turns]) => ({
      channelId: this.#channelIds.get(id) ?? 0,
      topic: catalogue.channels.get(id)?.topic ?? '',
      turns,
    }));
    const recovered = turnsRecovered.reduce((sum, { turns }) => sum + turns, 0);
    return {
      turnsRecovered,
      turnsLost: turnsExpected === undefined ? undefined : turnsExpected - recovered,
      bytesSkipped: damages.reduce((sum, { bytes }) => sum + bytes, 0),
      damages,
    };
  }

  /** A repaired recording says so itself: a replay of it ends where the damage was. */
  #mark(report: RepairReport): void {
    this.#writer.writeMetadata(REPAIR_METADATA_NAME, {
      bytesSkipped: String(report.bytesSkipped),
      damages: String(report.damages.length),
      firstDamageAt: String(report.damages[0]?.position ?? 0),
      firstDamage: report.damages[0]?.reason ?? '',
    });
  }
}

/** Loads a record that is known to be intact. */
export function loadRecord(
  window: ByteWindow,
  source: ByteSource,
  record: IntactRecord,
  name: string,
): FieldReader {
  const { position, contentLength } = record;
  const at = window.locate(position, RECORD_HEAD_BYTES + contentLength) + RECORD_HEAD_BYTES;
  return new FieldReader(window.bytes, at, at + contentLength, name, source.file, position);
}
