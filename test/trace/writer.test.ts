import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openTrace } from '../../src/trace/reader.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { indexedTurns, openIndexed, streamRecords, streamTurns } from './mcap-oracle.js';
import {
  bytesOf,
  fillSample,
  readTurns,
  SAMPLE_TURNS,
  sample,
  scratchDirectory,
  traceBytes,
} from './support.js';

for (const compression of ['none', 'zstd'] as const) {
  test(`@mcap/core's stream reader reads our file (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const turns = streamTurns(bytes);
    t.is(turns.length, SAMPLE_TURNS);
    t.deepEqual(turns, readTurns(bytes));
    t.is(turns[7]?.payload, 'turn 7 abcdefghabcdefgh');
    t.deepEqual([turns[7]?.channelId, turns[7]?.sequence, turns[7]?.logTimeNs], [1, 7, 7000]);
  });

  test(`@mcap/core's indexed reader reads our file (${compression})`, async (t) => {
    const bytes = sample(t, compression);
    t.deepEqual(await indexedTurns(bytes), readTurns(bytes));
    const device = await indexedTurns(bytes, ['device']);
    t.deepEqual(
      device.map(({ sequence }) => sequence),
      [3, 7, 11, 15, 19, 23],
    );
    const reader = await openIndexed(bytes);
    t.true(reader.chunkIndexes.length > 2);
    t.is(reader.statistics?.messageCount, BigInt(SAMPLE_TURNS));
    t.deepEqual(
      [...(reader.statistics?.channelMessageCounts ?? [])],
      [
        [0, 18n],
        [1, 6n],
      ],
    );
    t.is(reader.statistics?.messageEndTime, 23000n);
    t.is(reader.statistics?.chunkCount, reader.chunkIndexes.length);
    t.is(reader.channelsById.get(1)?.topic, 'device');
    t.is(reader.schemasById.get(1)?.name, 'halyard.Turn');
    t.deepEqual(
      [...reader.metadataIndexes.map(({ name }) => name), reader.attachmentIndexes[0]?.name],
      ['halyard.header', 'halyard.run', 'notes.txt'],
    );
    t.deepEqual([...reader.summaryOffsetsByOpcode.keys()], [3, 4, 11, 13, 10, 8]);
  });
}

test('zstd makes compressible turns smaller and leaves others as they are', (t) => {
  const repeated = (writer: TraceWriter): void => {
    const channel = writer.addChannel('main', 0, 'x');
    const payload = bytesOf('the same words again and again. '.repeat(20));
    for (let i = 0; i < 50; i += 1) writer.writeMessage(channel, i, i, payload, 0, payload.length);
  };
  const packed = traceBytes(t, { compression: 'zstd' }, repeated);
  t.true(packed.length < traceBytes(t, {}, repeated).length / 4);
  const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * i * 31 + (i >> 3) * 77) & 0xff);
  const bytes = traceBytes(t, { compression: 'zstd' }, (writer) => {
    writer.writeMessage(writer.addChannel('n', 0, 'x'), 0, 0, noise, 0, noise.length);
  });
  t.is(streamTurns(bytes)[0]?.payload, Buffer.from(noise).toString('latin1'));
});

test('the payload is copied at once, within its bounds', (t) => {
  const bytes = traceBytes(t, {}, (writer) => {
    const channel = writer.addChannel('main', 0, 'x');
    const shared = new Uint8Array(200);
    for (const size of [0, 1, 48, 49, 100]) {
      shared.fill(size);
      writer.writeMessage(channel, size, size, shared, 50, 50 + size);
    }
    shared.fill(255);
  });
  for (const turn of readTurns(bytes)) {
    t.is(turn.payload, String.fromCharCode(turn.sequence).repeat(turn.sequence));
  }
});

test('times up to 2^53 and sequences up to 2^32 survive', (t) => {
  const bytes = traceBytes(t, {}, (writer) => {
    const channel = writer.addChannel('main', 0, 'x');
    writer.writeMessage(channel, 0xffffffff, Number.MAX_SAFE_INTEGER, bytesOf('z'), 0, 1);
    writer.writeMessage(channel, 1, 2 ** 32, bytesOf('y'), 0, 1);
  });
  t.deepEqual(
    streamTurns(bytes).map(({ sequence, logTimeNs }) => [sequence, logTimeNs]),
    [
      [0xffffffff, Number.MAX_SAFE_INTEGER],
      [1, 2 ** 32],
    ],
  );
  t.is(openTrace(bytes).info.statistics?.messageStartTimeNs, 2 ** 32);
});

test('arguments out of range are refused and leave the trace whole', (t) => {
  const bytes = traceBytes(t, {}, (writer) => {
    const channel = writer.addChannel('main', 0, 'x');
    const p = new Uint8Array(4);
    const range = { instanceOf: RangeError };
    t.throws(() => writer.writeMessage(7, 0, 0, p, 0, 4), { ...range, message: /no channel 7/ });
    t.throws(() => writer.writeMessage(channel, -1, 0, p, 0, 4), { ...range, message: /u32/ });
    t.throws(() => writer.writeMessage(channel, 0, 0.5, p, 0, 4), { ...range, message: /integer/ });
    t.throws(() => writer.writeMessage(channel, 0, 2 ** 53, p, 0, 4), range);
    t.throws(() => writer.writeMessage(channel, 0, 0, p, 0, 5), { ...range, message: /outside/ });
    t.throws(() => writer.writeMessage(channel, 0, 0, p, 3, 2), range);
    t.throws(() => writer.writeMessage(channel, 0, 0, p, Number.NaN, 2), range);
    t.throws(() => writer.addChannel('x', 9, 'x'), { ...range, message: /no schema 9/ });
    t.throws(() => writer.writeMetadata('m', { 'halyard.crc32': '0' }), range);
    writer.writeMessage(channel, 5, 5, p, 0, 4);
  });
  t.deepEqual(
    readTurns(bytes).map(({ sequence }) => sequence),
    [5],
  );
});

test('a message larger than a chunk gets a chunk of its own', async (t) => {
  const big = new Uint8Array(5000).fill(66);
  const bytes = traceBytes(t, { chunkBytes: 1000, compression: 'zstd' }, (writer) => {
    const channel = writer.addChannel('main', 0, 'x');
    for (const size of [10, 5000, 10]) writer.writeMessage(channel, size, 0, big, 0, size);
  });
  const turns = readTurns(bytes);
  t.deepEqual(
    turns.map(({ payload }) => payload.length),
    [10, 5000, 10],
  );
  const { chunkIndexes } = await openIndexed(bytes);
  t.is(chunkIndexes.length, 3);
});

test('definitions stand before their use and again in the summary', (t) => {
  const records = streamRecords(sample(t, 'none'));
  const end = records.findIndex(({ type }) => type === 'DataEnd');
  const firstMessage = records.findIndex(({ type }) => type === 'Message');
  const firstChannel = records.findIndex(({ type }) => type === 'Channel');
  const firstSchema = records.findIndex(({ type }) => type === 'Schema');
  t.true(firstSchema < firstChannel && firstChannel < firstMessage);
  const summary = records.slice(end).map(({ type }) => type);
  t.is(summary.filter((type) => type === 'Channel').length, 2);
  t.is(summary.filter((type) => type === 'Schema').length, 1);
});

test('flush puts what was written into the file; maybeFlush only when it is due', (t) => {
  const path = join(scratchDirectory(t), 'live.mcap');
  let now = 10;
  const options = { path, library: 'x', compression: 'none', nowMs: () => now } as const;
  const writer = new TraceWriter(options);
  const channel = writer.addChannel('main', 0, 'x');
  t.is(writer.pendingSinceMs, undefined);
  t.false(writer.maybeFlush(1e9, 1));
  writer.writeMessage(channel, 0, 0, bytesOf('first'), 0, 5);
  now = 50;
  writer.writeMessage(channel, 1, 1, bytesOf('second'), 0, 6);
  t.is(writer.pendingSinceMs, 10);
  t.false(writer.maybeFlush(109, 100));
  t.false(readFileSync(path).includes('first'));
  t.true(writer.maybeFlush(110, 100));
  t.is(writer.pendingSinceMs, undefined);
  t.true(readFileSync(path).includes('second'));
  writer.close();
  writer.close();
  t.throws(() => writer.writeMessage(channel, 2, 2, bytesOf('late'), 0, 4), { message: /closed/ });
  t.is(readTurns(path).length, 2);
});

test('an empty trace and one with definitions only are whole files', async (t) => {
  const empty = traceBytes(t, {}, () => {});
  t.deepEqual(readTurns(empty), []);
  t.deepEqual(await indexedTurns(empty), []);
  const defined = traceBytes(t, { compression: 'zstd' }, (writer) => {
    writer.addChannel('main', writer.addSchema('s', 'protobuf', bytesOf('x')), 'protobuf');
  });
  t.is(openTrace(defined).info.channels.get(0)?.topic, 'main');
  t.deepEqual(streamTurns(defined), []);
});

test('a file descriptor is written to and stays open', (t) => {
  const path = join(scratchDirectory(t), 'fd.mcap');
  const script = `
    import { openSync, writeSync } from 'node:fs';
    import { TraceWriter } from ${JSON.stringify(new URL('../../src/trace/writer.js', import.meta.url).href)};
    const fd = openSync(process.argv[1], 'w');
    const writer = new TraceWriter({ fd, library: 'x', compression: 'none' });
    writer.writeMessage(writer.addChannel('main', 0, 'x'), 0, 0, Buffer.from('hello'), 0, 5);
    writer.close();
    writeSync(fd, '');
    const { zstdIsLoaded } = await import(${JSON.stringify(new URL('../../src/trace/zstd.js', import.meta.url).href)});
    console.log(zstdIsLoaded());
  `;
  // --jitless has no WebAssembly at all: raw recording must not need it.
  const flags = ['--jitless', '--input-type=module', '-e', script, path];
  const out = execFileSync(process.execPath, flags, { encoding: 'utf8' });
  t.is(out.trim(), 'false');
  t.is(readTurns(path)[0]?.payload, 'hello');
});

test('without WebAssembly zstd is refused with the way out', (t) => {
  const path = join(scratchDirectory(t), 'none.mcap');
  const script = `
    import { TraceWriter } from ${JSON.stringify(new URL('../../src/trace/writer.js', import.meta.url).href)};
    try { new TraceWriter({ path: process.argv[1], library: 'x', compression: 'zstd' }); }
    catch (error) { console.log(error.message); }
  `;
  const flags = ['--jitless', '--input-type=module', '-e', script, path];
  t.regex(execFileSync(process.execPath, flags, { encoding: 'utf8' }), /compression "none"/);
});

test('the sample uses what it says', (t) => {
  const reader = openTrace(traceBytes(t, { chunkBytes: 600 }, fillSample));
  t.deepEqual(
    reader.info.metadata.map(({ name, entries }) => [name, Object.fromEntries(entries)]),
    [
      ['halyard.header', { profile: 'halyard', library: 'halyard test' }],
      ['halyard.run', { id: '42', program: 'demo' }],
    ],
  );
  const [notes] = reader.info.attachments;
  t.truthy(notes);
  if (notes) t.is(Buffer.from(reader.readAttachment(notes)).toString(), 'seen on a Tuesday');
  t.deepEqual(reader.info.warnings, []);
  t.true(reader.info.complete);
  reader.verify();
});
