import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openTrace, type TraceReader } from '../../src/trace/reader.js';
import { TraceWriter, type TraceWriterOptions } from '../../src/trace/writer.js';

/** A message as the tests compare it. */
export interface Turn {
  readonly channelId: number;
  readonly sequence: number;
  readonly logTimeNs: number;
  readonly payload: string;
}

/** A directory that goes away with the test. */
export function scratchDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'halyard-trace-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** All messages of a trace, in order; closes the reader. */
export function turnsOf(reader: TraceReader, channelId?: number): Turn[] {
  const cursor = reader.messages(channelId);
  const turns: Turn[] = [];
  while (cursor.next()) {
    const payload = Buffer.from(cursor.buffer.subarray(cursor.start, cursor.end)).toString(
      'latin1',
    );
    const { sequence, logTimeNs } = cursor;
    turns.push({ channelId: cursor.channelId, sequence, logTimeNs, payload });
  }
  reader.close();
  return turns;
}

export function readTurns(input: string | Uint8Array): Turn[] {
  return turnsOf(openTrace(input));
}

/** Writes with `fill` and returns the bytes of the file. */
export function traceBytes(
  t: ExecutionContext,
  options: Partial<TraceWriterOptions>,
  fill: (writer: TraceWriter) => void,
): Uint8Array {
  const path = join(scratchDirectory(t), 'trace.mcap');
  const writer = new TraceWriter({
    path,
    library: 'halyard test',
    compression: 'none',
    ...options,
  });
  fill(writer);
  writer.close();
  return new Uint8Array(readFileSync(path));
}

export const SAMPLE_TURNS = 24;

/** A small file with everything in it: two channels, several chunks, metadata, an attachment. */
export function fillSample(writer: TraceWriter): void {
  const schema = writer.addSchema('halyard.Turn', 'protobuf', bytesOf('descriptor set'));
  const main = writer.addChannel('main', schema, 'protobuf', { lane: 'main' });
  const device = writer.addChannel('device', schema, 'protobuf', { lane: 'device' });
  writer.writeMetadata('halyard.run', { id: '42', program: 'demo' });
  for (let i = 0; i < SAMPLE_TURNS; i += 1) {
    const payload = bytesOf(`turn ${i} ${'abcdefgh'.repeat(1 + (i % 3))}`);
    writer.writeMessage(i % 4 === 3 ? device : main, i, 1000 * i, payload, 0, payload.length);
  }
  writer.writeAttachment('notes.txt', 'text/plain', bytesOf('seen on a Tuesday'));
}

export function sample(t: ExecutionContext, compression: 'zstd' | 'none'): Uint8Array {
  return traceBytes(t, { compression, chunkBytes: 600 }, fillSample);
}
