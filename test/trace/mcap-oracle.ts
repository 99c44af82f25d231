import {
  type IReadable,
  McapIndexedReader,
  McapStreamReader,
  type McapTypes,
  McapWriter,
} from '@mcap/core';
import { zstdBound, zstdCompress, zstdDecompress } from '../../src/trace/zstd.js';
import type { Turn } from './support.js';

const decompressHandlers: McapTypes.DecompressHandlers = {
  zstd(data, size) {
    const target = new Uint8Array(Number(size));
    if (zstdDecompress(data, Number(size), target) !== Number(size)) throw new Error('zstd');
    return target;
  },
};

function turn(message: McapTypes.TypedMcapRecords['Message']): Turn {
  return {
    channelId: message.channelId,
    sequence: message.sequence,
    logTimeNs: Number(message.logTime),
    payload: Buffer.from(message.data).toString('latin1'),
  };
}

/** Every record that @mcap/core's stream reader finds, CRCs checked. */
export function streamRecords(bytes: Uint8Array): McapTypes.TypedMcapRecord[] {
  const reader = new McapStreamReader({ decompressHandlers, validateCrcs: true });
  reader.append(bytes);
  const records: McapTypes.TypedMcapRecord[] = [];
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    records.push(record);
  }
  if (!reader.done()) throw new Error('the stream reader is not done');
  return records;
}

export function streamTurns(bytes: Uint8Array): Turn[] {
  const turns: Turn[] = [];
  for (const record of streamRecords(bytes))
    if (record.type === 'Message') turns.push(turn(record));
  return turns;
}

export async function openIndexed(bytes: Uint8Array): Promise<McapIndexedReader> {
  const readable: IReadable = {
    size: async () => BigInt(bytes.length),
    read: async (offset, length) => bytes.slice(Number(offset), Number(offset + length)),
  };
  return McapIndexedReader.Initialize({ readable, decompressHandlers });
}

export async function indexedTurns(bytes: Uint8Array, topics?: string[]): Promise<Turn[]> {
  const reader = await openIndexed(bytes);
  const turns: Turn[] = [];
  const messages = reader.readMessages({ validateCrcs: true, ...(topics && { topics }) });
  for await (const message of messages) turns.push(turn(message));
  return turns;
}

type CoreOptions = Omit<ConstructorParameters<typeof McapWriter>[0], 'writable'>;

/** A file written by @mcap/core. */
export async function coreBytes(
  options: CoreOptions,
  fill: (writer: McapWriter) => Promise<void>,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const writer = new McapWriter({
    ...options,
    writable: {
      position: () => BigInt(length),
      write: async (part: Uint8Array) => {
        parts.push(part.slice());
        length += part.length;
      },
    },
  });
  await writer.start({ profile: '', library: 'another writer' });
  await fill(writer);
  await writer.end();
  return new Uint8Array(Buffer.concat(parts));
}

/** For `compressChunk` of @mcap/core. */
export function compressZstd(data: Uint8Array): {
  compression: string;
  compressedData: Uint8Array;
} {
  const target = new Uint8Array(zstdBound(data.length));
  const size = zstdCompress(data, 1, target, 0);
  return { compression: 'zstd', compressedData: target.subarray(0, size) };
}
