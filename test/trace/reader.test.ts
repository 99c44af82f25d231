import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { McapWriter } from '@mcap/core';
import test from 'ava';
import { type TraceFormatCode, TraceFormatError } from '../../src/trace/errors.js';
import { MAGIC } from '../../src/trace/mcap-records.js';
import { type OpenTraceOptions, openTrace } from '../../src/trace/reader.js';
import { compressZstd, coreBytes, streamTurns } from './mcap-oracle.js';
import { bytesOf, readTurns, sample, scratchDirectory, traceBytes, turnsOf } from './support.js';

async function fillCore(writer: McapWriter): Promise<void> {
  const schemaId = await writer.registerSchema({
    name: 'T',
    encoding: 'jsonschema',
    data: bytesOf('{}'),
  });
  const channels: number[] = [];
  for (const topic of ['a', 'b', 'c']) {
    const metadata = new Map([['topic', topic]]);
    const id = await writer.registerChannel({ schemaId, topic, messageEncoding: 'json', metadata });
    channels.push(id);
  }
  for (let i = 0; i < 30; i += 1) {
    const time = BigInt(i) * 10n;
    const data = bytesOf(`{"i":${i},"t":"${'x'.repeat(i)}"}`);
    const channelId = channels[i % 3] ?? 0;
    await writer.addMessage({ channelId, sequence: i, logTime: time, publishTime: time, data });
    if (i === 10) await writer.addMetadata({ name: 'm', metadata: new Map([['k', 'v']]) });
    if (i !== 20) continue;
    const attachment = { name: 'att', mediaType: 'text/plain', data: bytesOf('data') };
    await writer.addAttachment({ logTime: 5n, createTime: 6n, ...attachment });
  }
}

const cases: readonly [string, Parameters<typeof coreBytes>[0]][] = [
  ['with chunks', { chunkSize: 300 }],
  ['with zstd chunks', { chunkSize: 300, compressChunk: compressZstd }],
  ['without chunks', { useChunks: false }],
  ['without message indexes', { useMessageIndex: false, chunkSize: 300 }],
  [
    'without a summary',
    {
      chunkSize: 300,
      useStatistics: false,
      useSummaryOffsets: false,
      repeatChannels: false,
      repeatSchemas: false,
      useChunkIndex: false,
      useMetadataIndex: false,
      useAttachmentIndex: false,
    },
  ],
  ['without repeated definitions', { repeatChannels: false, repeatSchemas: false }],
];

for (const [name, options] of cases) {
  test(`a file of @mcap/core ${name} reads the same`, async (t) => {
    const bytes = await coreBytes(options, fillCore);
    const path = join(scratchDirectory(t), 'core.mcap');
    writeFileSync(path, bytes);
    for (const input of [bytes, path]) {
      const reader = openTrace(input);
      const { info } = reader;
      t.is(info.library, 'another writer');
      t.deepEqual([...info.channels.values()].map(({ topic }) => topic).sort(), ['a', 'b', 'c']);
      t.is(info.channels.get(1)?.metadata.get('topic'), 'b');
      t.is(info.schemas.get(1)?.encoding, 'jsonschema');
      t.deepEqual(info.metadata[0]?.entries, new Map([['k', 'v']]));
      const [attachment] = info.attachments;
      t.deepEqual([attachment?.name, attachment?.logTimeNs, attachment?.sizeBytes], ['att', 5, 4]);
      if (attachment) t.deepEqual(reader.readAttachment(attachment), bytesOf('data'));
      // @mcap/core 2.2.2 puts wrong offsets into these indexes when it writes no chunks.
      const indexIsWrong = options.useChunks === false;
      t.deepEqual(info.warnings.length, indexIsWrong ? 1 : 0);
      if (indexIsWrong) t.regex(info.warnings[0] ?? '', /index of metadata/);
      reader.verify();
      const all = turnsOf(reader);
      t.is(all.length, 30);
      t.deepEqual(all, streamTurns(bytes));
    }
    t.deepEqual(
      turnsOf(openTrace(bytes), 2),
      readTurns(bytes).filter(({ channelId }) => channelId === 2),
    );
  });
}

test('a file without CRCs loads, and says what could not be verified', async (t) => {
  const bytes = await coreBytes({ chunkSize: 300 }, fillCore);
  const view = new DataView(bytes.buffer);
  let position = MAGIC.length;
  while (position < bytes.length - MAGIC.length) {
    const opcode = view.getUint8(position);
    const length = view.getUint32(position + 1, true);
    if (opcode === 0x06) view.setUint32(position + 9 + 24, 0, true);
    if (opcode === 0x0f) view.setUint32(position + 9, 0, true);
    if (opcode === 0x02) view.setUint32(position + 9 + 16, 0, true);
    if (opcode === 0x09) view.setUint32(position + 9 + length - 4, 0, true);
    position += 9 + length;
  }
  const reader = openTrace(bytes);
  t.is(reader.info.warnings.length, 2);
  reader.verify();
  t.is(reader.info.warnings.length, 4);
  t.regex(reader.info.warnings.join('\n'), /data section has no CRC/);
  t.regex(reader.info.warnings.join('\n'), /summary has no CRC/);
  t.regex(reader.info.warnings.join('\n'), /chunks without a CRC/);
  t.regex(reader.info.warnings.join('\n'), /attachments without a CRC/);
  t.is(turnsOf(reader).length, 30);
});

function refused(
  t: import('ava').ExecutionContext,
  input: Uint8Array | string,
  code: TraceFormatCode,
  reason: RegExp,
  options?: OpenTraceOptions,
): void {
  const error = t.throws(() => openTrace(input, options).verify(), {
    instanceOf: TraceFormatError,
  });
  t.is(error.code, code);
  t.regex(error.reason, reason);
  t.true(error.position >= 0);
  t.true(error.message.includes(`byte ${error.position}`));
}

test('what is no trace is refused by kind', (t) => {
  refused(t, new Uint8Array(0), 'TRACE_EMPTY', /empty/);
  refused(t, bytesOf('{"json": true}'), 'TRACE_FOREIGN', /MCAP magic/);
  refused(t, MAGIC.slice(0, 5), 'TRACE_TRUNCATED', /within the MCAP magic/);
  refused(t, MAGIC.slice(), 'TRACE_TRUNCATED', /before its Header/);
  refused(t, '/does/not/exist.mcap', 'TRACE_UNREADABLE', /ENOENT/);
  refused(t, scratchDirectory(t), 'TRACE_UNSUPPORTED', /regular file/);
});

test('lz4 and unknown compressions are named', async (t) => {
  for (const compression of ['lz4', 'snappy']) {
    const compressChunk = (compressedData: Uint8Array) => ({ compression, compressedData });
    const bytes = await coreBytes({ compressChunk }, fillCore);
    refused(t, bytes, 'TRACE_UNSUPPORTED', new RegExp(`"${compression}" is not supported`));
  }
});

test('a chunk that lies about its size is refused before or after unpacking it', async (t) => {
  const lie = (size: number): Promise<Uint8Array> =>
    coreBytes({ chunkSize: 1e6, compressChunk: compressZstd }, fillCore).then((bytes) => {
      const view = new DataView(bytes.buffer);
      const chunk = MAGIC.length + 9 + view.getUint32(MAGIC.length + 1, true);
      // The first chunk is ended by the metadata; sizes stand after both times.
      let position = chunk;
      while (view.getUint8(position) !== 0x06) position += 9 + view.getUint32(position + 1, true);
      view.setUint32(position + 25, size % 2 ** 32, true);
      view.setUint32(position + 29, Math.floor(size / 2 ** 32), true);
      return bytes;
    });
  refused(t, await lie(2 ** 40), 'TRACE_LIMIT', /limit is 67108864/);
  refused(t, await lie(60 * 1024 * 1024), 'TRACE_CORRUPT', /decompresses to \d+ bytes, yet/);
  refused(t, await lie(10), 'TRACE_CORRUPT', /does not decompress/);
  refused(t, await lie(2 ** 60), 'TRACE_CORRUPT', /beyond 2\^53/);
});

test('a bomb is stopped by the budget', (t) => {
  const zeros = new Uint8Array(1024 * 1024);
  const bytes = traceBytes(t, { compression: 'zstd' }, (writer) => {
    const channel = writer.addChannel('main', 0, 'x');
    for (let i = 0; i < 8; i += 1) writer.writeMessage(channel, i, i, zeros, 0, zeros.length);
  });
  t.true(bytes.length < 8000);
  t.is(readTurns(bytes).length, 8);
  const limits = { maxUncompressedBytes: 1024 * 1024 };
  refused(t, bytes, 'TRACE_LIMIT', /expand too far/, { limits });
  refused(t, bytes, 'TRACE_LIMIT', /limit is 65536/, { limits: { maxChunkBytes: 65536 } });
});

test('definitions that would fill the memory are refused', (t) => {
  const bytes = traceBytes(t, {}, (writer) => {
    const data = new Uint8Array(600);
    for (let i = 0; i < 10; i += 1) writer.addSchema(`s${i}`, 'protobuf', data);
  });
  refused(t, bytes, 'TRACE_LIMIT', /take more than 5000/, { limits: { maxDefinitionBytes: 5000 } });
});

test('an unfinished file is refused, or read as far as it goes with a warning', (t) => {
  const whole = sample(t, 'zstd');
  const all = readTurns(whole);
  const cut = whole.slice(0, Math.floor(whole.length / 2));
  refused(t, cut, 'TRACE_TRUNCATED', /repair/);
  const reader = openTrace(cut, { unfinished: 'read' });
  t.false(reader.info.complete);
  t.regex(reader.info.warnings.join(), /without its end at byte \d+: \d+ messages read/);
  const turns = turnsOf(reader);
  t.true(turns.length > 0 && turns.length < all.length);
  t.deepEqual(turns, all.slice(0, turns.length));
});

test('only a channel that exists can be asked for', (t) => {
  const reader = openTrace(sample(t, 'none'));
  t.throws(() => reader.messages(9), { instanceOf: RangeError, message: /no channel 9/ });
});

test('two passes at once do not disturb each other', (t) => {
  const bytes = sample(t, 'zstd');
  const reader = openTrace(bytes);
  const [a, b] = [reader.messages(), reader.messages(1)];
  const seen: number[] = [];
  while (a.next()) {
    if (a.sequence % 4 === 3 && b.next()) seen.push(b.sequence - a.sequence);
    t.is(a.buffer[a.start], 't'.charCodeAt(0));
  }
  t.deepEqual(seen, [0, 0, 0, 0, 0, 0]);
});
