import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TraceFormatError, TraceWriteError } from '../../src/trace/errors.js';
import { MAGIC } from '../../src/trace/mcap-records.js';
import { openTrace } from '../../src/trace/reader.js';
import { type RepairReport, repairTrace } from '../../src/trace/repair.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { coreBytes, streamTurns } from './mcap-oracle.js';
import { bytesOf, fillSample, readTurns, sample, scratchDirectory, type Turn } from './support.js';

interface Repaired {
  readonly report: RepairReport;
  readonly turns: readonly Turn[];
  readonly path: string;
}

function repair(t: ExecutionContext, bytes: Uint8Array): Repaired {
  const directory = scratchDirectory(t);
  const damaged = join(directory, 'damaged.mcap');
  const path = join(directory, 'repaired.mcap');
  writeFileSync(damaged, bytes);
  const report = repairTrace(damaged, path);
  t.true(readFileSync(damaged).equals(bytes), 'the input is left alone');
  return { report, turns: readTurns(path), path };
}

/** Positions of the records of one kind in the data section. */
function positions(bytes: Uint8Array, opcode: number): { at: number; end: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const found: { at: number; end: number }[] = [];
  for (let at = MAGIC.length; view.getUint8(at) !== 0x0f; ) {
    const end = at + 9 + view.getUint32(at + 1, true);
    if (view.getUint8(at) === opcode) found.push({ at, end });
    at = end;
  }
  return found;
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

function isSubsequence(part: readonly Turn[], whole: readonly Turn[]): boolean {
  let next = 0;
  for (const turn of whole) {
    if (JSON.stringify(part[next]) === JSON.stringify(turn)) next += 1;
  }
  return next === part.length;
}

for (const compression of ['none', 'zstd'] as const) {
  test(`a whole file is copied whole (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const { report, turns, path } = repair(t, bytes);
    t.deepEqual(turns, readTurns(bytes));
    t.deepEqual(streamTurns(new Uint8Array(readFileSync(path))), turns);
    t.deepEqual(report, {
      turnsRecovered: [
        { channelId: 0, topic: 'main', turns: 18 },
        { channelId: 1, topic: 'device', turns: 6 },
      ],
      turnsLost: 0,
      bytesSkipped: 0,
      damages: [],
    });
    const { info } = openTrace(path);
    t.is(info.library, 'halyard test');
    t.is(info.metadata[1]?.entries.get('program'), 'demo');
    t.is(info.attachments[0]?.name, 'notes.txt');
    t.is(info.channels.get(1)?.metadata.get('lane'), 'device');
  });

  test(`a damaged chunk is left out and counted (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const all = readTurns(bytes);
    const chunks = positions(bytes, 0x06);
    let recovered = 0;
    for (const { at, end } of chunks) {
      const { report, turns } = repair(t, flip(bytes, end - 20));
      t.true(isSubsequence(turns, all));
      t.is(report.damages.length, 1);
      t.is(report.damages[0]?.position, at);
      t.is(report.damages[0]?.turnsLost, all.length - turns.length);
      t.is(report.turnsLost, all.length - turns.length);
      t.is(report.bytesSkipped, end - at);
      t.true((report.turnsLost ?? 0) > 0);
      recovered += turns.length;
    }
    t.is(recovered, (chunks.length - 1) * all.length, 'each turn is lost once');
  });

  test(`a file cut anywhere gives back its whole chunks (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const all = readTurns(bytes);
    const chunks = positions(bytes, 0x06);
    const cursor = openTrace(bytes).messages();
    const turnsBefore = (size: number): number => {
      const limit = chunks.filter(({ end }) => end <= size).at(-1)?.at ?? -1;
      return ends.filter((position) => position <= limit).length;
    };
    const ends: number[] = [];
    while (cursor.next()) ends.push(cursor.position);
    for (let size = 200; size < bytes.length; size += 7) {
      const { report, turns } = repair(t, bytes.slice(0, size));
      if (turns.length !== turnsBefore(size)) return t.fail(`cut at ${size}: ${turns.length}`);
      if (!isSubsequence(turns, all)) return t.fail(`cut at ${size}: other turns`);
      if (report.damages.length === 0) return t.fail(`cut at ${size}: not noticed`);
    }
    t.pass();
  });

  test(`any flip is reported, and costs one chunk at most (${compression})`, (t) => {
    const bytes = sample(t, compression);
    const all = readTurns(bytes);
    const most = Math.max(...positions(bytes, 0x06).map(({ end, at }) => end - at));
    for (let at = 0; at < bytes.length; at += 5) {
      const { report, turns } = repair(t, flip(bytes, at));
      if (report.damages.length === 0) return t.fail(`flip at ${at}: not noticed`);
      if (!isSubsequence(turns, all)) return t.fail(`flip at ${at}: other turns`);
      if (turns.length < all.length - 10) return t.fail(`flip at ${at}: ${turns.length} left`);
    }
    t.true(most < 1000);
  });
}

test('a torn-out piece and a second one far away are both told', (t) => {
  const bytes = sample(t, 'none');
  const [first, , third] = positions(bytes, 0x06);
  if (first === undefined || third === undefined) return t.fail('too few chunks');
  const torn = Buffer.concat([
    bytes.subarray(0, first.at + 50),
    bytes.subarray(first.at + 90, third.at),
    Buffer.alloc(77, 0xee),
    bytes.subarray(third.at),
  ]);
  const { report, turns } = repair(t, new Uint8Array(torn));
  const kept = report.damages.filter(({ bytes: count }) => count > 0);
  t.is(kept.length, 2);
  t.is(kept[1]?.bytes, 77);
  t.true(turns.length > 10);
  t.is(report.turnsLost, undefined, 'the footer points elsewhere now');
});

test('a repaired file says so', (t) => {
  const bytes = sample(t, 'zstd');
  const { path } = repair(t, bytes.slice(0, -100));
  const mark = openTrace(path).info.metadata.find(({ name }) => name === 'halyard.repair');
  t.regex(mark?.entries.get('firstDamage') ?? '', /end of the trace is missing/);
});

test('neither the input nor any other file is overwritten', (t) => {
  const path = join(scratchDirectory(t), 'a.mcap');
  const bytes = sample(t, 'none').slice(0, -50);
  writeFileSync(path, bytes);
  const error = t.throws(() => repairTrace(path, path), { instanceOf: TraceWriteError });
  t.is(error.errno, 'EEXIST');
  t.deepEqual(new Uint8Array(readFileSync(path)), bytes);
});

test('what is no trace of ours cannot be repaired', async (t) => {
  const code = (bytes: Uint8Array): string =>
    t.throws(() => repair(t, bytes), { instanceOf: TraceFormatError }).code;
  t.is(code(new Uint8Array(0)), 'TRACE_EMPTY');
  t.is(code(bytesOf('plain text '.repeat(50))), 'TRACE_FOREIGN');
  t.is(code(await coreBytes({}, async () => {})), 'TRACE_UNSUPPORTED');
});

test('the time does not explode on overlapping claims', (t) => {
  const head = sample(t, 'none').slice(0, 150);
  const parts: Uint8Array[] = [head];
  const count = 4000;
  for (let i = 0; i < count; i += 1) {
    // A chunk head that claims everything up to the end of the file, with a wrong CRC.
    const claim = new DataView(new ArrayBuffer(49));
    const left = (count - i) * 49 - 9;
    claim.setUint8(0, 0x06);
    claim.setUint32(1, left, true);
    claim.setUint32(25, left - 40, true);
    claim.setUint32(33, 1, true);
    claim.setUint32(41, left - 40, true);
    parts.push(new Uint8Array(claim.buffer));
  }
  const { turns, report } = repair(t, new Uint8Array(Buffer.concat(parts)));
  t.deepEqual(turns, []);
  t.true(report.damages.length > 0);
});

test('kill -9 costs nothing that was flushed', async (t) => {
  const path = join(scratchDirectory(t), 'killed.mcap');
  const module = JSON.stringify(new URL('../../src/trace/writer.js', import.meta.url).href);
  const script = `
    import { TraceWriter } from ${module};
    const writer = new TraceWriter({ path: process.argv[1], library: 'x', compression: 'zstd' });
    const channel = writer.addChannel('main', 0, 'x');
    const payload = new Uint8Array(100);
    for (let i = 0; ; i += 1) {
      payload.fill(i & 0xff);
      writer.writeMessage(channel, i, i, payload, 0, 100);
      if (i % 100 === 99) { writer.flush(); process.stdout.write(i + '\\n'); }
      if (i === 950) { process.stdout.write('unflushed\\n'); setInterval(() => {}, 1000); break; }
    }
  `;
  const flags = ['--input-type=module', '-e', script, path];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  for await (const part of child.stdout) {
    told += String(part);
    if (told.includes('unflushed')) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  t.is(child.signalCode, 'SIGKILL');
  t.throws(() => openTrace(path), { instanceOf: TraceFormatError, code: 'TRACE_TRUNCATED' });
  const { report, turns } = repair(t, new Uint8Array(readFileSync(path)));
  t.is(turns.length, 900);
  t.is(turns.at(-1)?.sequence, 899);
  t.deepEqual(report.turnsRecovered, [{ channelId: 0, topic: 'main', turns: 900 }]);
});

test('a schema is repeated, so that losing the first chunk does not lose it', (t) => {
  const path = join(scratchDirectory(t), 'long.mcap');
  const writer = new TraceWriter({ path, library: 'x', compression: 'none', chunkBytes: 1000 });
  fillSample(writer);
  const payload = new Uint8Array(100);
  for (let i = 0; i < 100; i += 1) writer.writeMessage(0, i, i, payload, 0, 100);
  writer.close();
  const bytes = new Uint8Array(readFileSync(path));
  const [chunk] = positions(bytes, 0x06);
  const damaged = flip(bytes.slice(0, -30), (chunk?.at ?? 0) + 100);
  const { report, path: repaired } = repair(t, damaged);
  t.is(openTrace(repaired).info.schemas.get(1)?.name, 'halyard.Turn');
  t.is(openTrace(repaired).info.channels.size, 2);
  t.is(report.damages.length, 2);
});
