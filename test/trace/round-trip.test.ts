import test from 'ava';
import fc from 'fast-check';
import { openTrace } from '../../src/trace/reader.js';
import { indexedTurns, streamTurns } from './mcap-oracle.js';
import { traceBytes, turnsOf } from './support.js';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const dictionary = fc.dictionary(text, text, { maxKeys: 4 });

const recording = fc.record({
  compression: fc.constantFrom('zstd' as const, 'none' as const),
  chunkBytes: fc.integer({ min: 1, max: 2000 }),
  channels: fc.array(fc.record({ topic: text, metadata: dictionary }), {
    minLength: 1,
    maxLength: 4,
  }),
  steps: fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('message' as const),
          channel: fc.nat(3),
          sequence: fc.nat(0xffffffff),
          logTimeNs: fc.maxSafeNat(),
          payload: fc.uint8Array({ maxLength: 120 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('metadata' as const),
          name: text,
          entries: dictionary,
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('attachment' as const),
          name: text,
          bytes: fc.uint8Array({ maxLength: 200 }),
        }),
      },
    ),
    { maxLength: 40 },
  ),
});

test('what is written is read, by us and by @mcap/core', async (t) => {
  const property = fc.asyncProperty(recording, async (run) => {
    const messages = run.steps.filter((step) => step.kind === 'message');
    const bytes = traceBytes(t, run, (writer) => {
      const ids = run.channels.map(({ topic, metadata }) =>
        writer.addChannel(topic, 0, 'x', metadata),
      );
      for (const step of run.steps) {
        if (step.kind === 'flush') writer.flush();
        if (step.kind === 'metadata') writer.writeMetadata(step.name, step.entries);
        if (step.kind === 'attachment') writer.writeAttachment(step.name, 'a/b', step.bytes);
        if (step.kind !== 'message') continue;
        const { payload, sequence, logTimeNs } = step;
        const id = ids[step.channel % ids.length] ?? 0;
        writer.writeMessage(id, sequence, logTimeNs, payload, 0, payload.length);
      }
    });
    const expected = messages.map(({ channel, sequence, logTimeNs, payload }) => ({
      channelId: channel % run.channels.length,
      sequence,
      logTimeNs,
      payload: Buffer.from(payload).toString('latin1'),
    }));
    const reader = openTrace(bytes);
    reader.verify();
    const seen = {
      metadata: reader.info.metadata.slice(1).map(({ name, entries }) => [name, new Map(entries)]),
      attachments: reader.info.attachments.map((one) => [one.name, reader.readAttachment(one)]),
      channels: [...reader.info.channels.values()].map(({ topic, metadata }) => [topic, metadata]),
      turns: turnsOf(reader),
    };
    const written = {
      metadata: run.steps.flatMap((step) =>
        step.kind === 'metadata' ? [[step.name, new Map(Object.entries(step.entries))]] : [],
      ),
      attachments: run.steps.flatMap((step) =>
        step.kind === 'attachment' ? [[step.name, step.bytes]] : [],
      ),
      channels: run.channels.map(({ topic, metadata }) => [
        topic,
        new Map(Object.entries(metadata)),
      ]),
      turns: expected,
    };
    t.deepEqual(seen, written);
    t.deepEqual(streamTurns(bytes), expected);
    // The indexed reader goes by time, ours by the order of the file.
    const byTime = await indexedTurns(bytes);
    t.deepEqual(
      byTime.map((turn) => JSON.stringify(turn)).sort(),
      expected.map((turn) => JSON.stringify(turn)).sort(),
    );
  });
  await fc.assert(property, { numRuns: 120 });
});
