import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TraceFormatError } from '../../src/trace/errors.js';
import { MAGIC } from '../../src/trace/mcap-records.js';
import { openTrace } from '../../src/trace/reader.js';
import { repairTrace } from '../../src/trace/repair.js';
import { coreBytes } from './mcap-oracle.js';
import { mutate, Random } from './random.js';
import { bytesOf, readTurns, sample, scratchDirectory } from './support.js';

const MUTATIONS = 10_000;
const FOREIGN_MUTATIONS = 5_000;
const REPAIRS = 400;

/** Everything a reader can tell about a file, as one string. */
function digest(bytes: Uint8Array, unfinished: 'refuse' | 'read' = 'refuse'): string {
  const reader = openTrace(bytes, { unfinished });
  reader.verify();
  const { library, profile, metadata, attachments, channels, warnings } = reader.info;
  const described = [library, profile, metadata.map(({ entries }) => [...entries]), attachments];
  return JSON.stringify([described, [...channels.values()], warnings, readTurns(bytes)]);
}

function isSame(bytes: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(bytes, other) === 0;
}

/** Fails the test unless `step` returns or throws a TraceFormatError. */
function onlyFormatErrors(t: ExecutionContext, name: string, step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (!(error instanceof TraceFormatError)) t.fail(`${name}: ${error}`);
    return false;
  }
}

for (const compression of ['none', 'zstd'] as const) {
  test(`${MUTATIONS} mutations of our file are refused or harmless (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const expected = digest(bytes);
    const random = new Random(compression === 'none' ? 1 : 2);
    let refused = 0;
    for (let i = 0; i < MUTATIONS; i += 1) {
      const mutated = mutate(bytes, random);
      const read = onlyFormatErrors(t, `mutation ${i}`, () => {
        if (digest(mutated) !== expected) t.fail(`mutation ${i}: a silent success`);
      });
      if (!read) refused += 1;
      else if (!isSame(mutated, bytes)) t.fail(`mutation ${i}: other bytes, not noticed`);
    }
    t.true(refused > MUTATIONS * 0.9);
  });
}

test('mutations of a file without CRCs never do worse than a TraceFormatError', async (t) => {
  const bytes = await coreBytes({ useChunks: true, chunkSize: 200 }, async (writer) => {
    const schemaId = await writer.registerSchema({ name: 's', encoding: 'e', data: bytesOf('d') });
    const metadata = new Map([['k', 'v']]);
    const channel = { schemaId, topic: 'a', messageEncoding: 'm', metadata };
    const channelId = await writer.registerChannel(channel);
    for (let i = 0; i < 10; i += 1) {
      const times = { logTime: BigInt(i), publishTime: 0n };
      await writer.addMessage({ channelId, sequence: i, ...times, data: bytesOf(`message ${i}`) });
    }
    await writer.addMetadata({ name: 'm', metadata });
    const attachment = { name: 'a', mediaType: 't', data: bytesOf('data') };
    await writer.addAttachment({ logTime: 0n, createTime: 0n, ...attachment });
  });
  const view = new DataView(bytes.buffer);
  for (let at = MAGIC.length; at < bytes.length - MAGIC.length; ) {
    const opcode = view.getUint8(at);
    if (opcode === 0x06) view.setUint32(at + 9 + 24, 0, true);
    if (opcode === 0x0f) view.setUint32(at + 9, 0, true);
    if (opcode === 0x02) view.setUint32(at + 9 + 16, 0, true);
    at += 9 + view.getUint32(at + 1, true);
  }
  const random = new Random(3);
  let read = 0;
  for (let i = 0; i < FOREIGN_MUTATIONS; i += 1) {
    const mutated = mutate(bytes, random);
    const mode = i % 2 === 0 ? 'read' : 'refuse';
    if (onlyFormatErrors(t, `mutation ${i}`, () => digest(mutated, mode))) read += 1;
  }
  // Without checksums many mutations cannot be noticed: the parsers behind them are exercised.
  t.true(read > FOREIGN_MUTATIONS / 50);
});

test(`${REPAIRS} mutated files are repaired into whole ones, or refused`, (t) => {
  const directory = scratchDirectory(t);
  const [damaged, repaired] = [join(directory, 'a.mcap'), join(directory, 'b.mcap')];
  const bytes = sample(t, 'zstd');
  const known = new Set(readTurns(bytes).map((turn) => JSON.stringify(turn)));
  const random = new Random(4);
  let whole = 0;
  for (let i = 0; i < REPAIRS; i += 1) {
    writeFileSync(damaged, mutate(bytes, random));
    rmSync(repaired, { force: true });
    onlyFormatErrors(t, `repair ${i}`, () => {
      repairTrace(damaged, repaired);
      whole += 1;
      for (const turn of readTurns(repaired)) {
        if (!known.has(JSON.stringify(turn)))
          t.fail(`repair ${i}: made up ${JSON.stringify(turn)}`);
      }
    });
  }
  t.true(whole > REPAIRS / 2);
});
