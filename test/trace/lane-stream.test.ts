import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LaneStreamReader, LaneStreamWriter } from '../../src/trace/lane-stream.js';

type Said = readonly [string, ...unknown[]];

function reading(): { readonly said: Said[]; readonly reader: LaneStreamReader } {
  const said: Said[] = [];
  const reader = new LaneStreamReader({
    turn: (number, timeNs, bytes) => said.push(['turn', number, timeNs, [...bytes]]),
    end: (outcome, detail) => said.push(['end', outcome, detail]),
  });
  return { said, reader };
}

/** What a writer puts into its file. */
function written(write: (writer: LaneStreamWriter) => void): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
  const path = join(folder, 'stream');
  const fd = openSync(path, 'w');
  try {
    write(new LaneStreamWriter(fd, () => {}));
    return readFileSync(path);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

test('turns and the end come as they were written, in whatever pieces', (t) => {
  const big = new Uint8Array(200_000).fill(7);
  const stream = written((writer) => {
    writer.turn(0, 5e15 + 1, Uint8Array.of(1, 2, 3, 99), 3);
    writer.turn(1, 12, big, big.length);
    writer.turn(2, 13, big, 0);
    writer.end('failed', 'Größe');
  });
  const expected: Said[] = [
    ['turn', 0, 5e15 + 1, [1, 2, 3]],
    ['turn', 1, 12, [...big]],
    ['turn', 2, 13, []],
    ['end', 'failed', 'Größe'],
  ];
  for (const size of [1009, 65_536, stream.length]) {
    const { said, reader } = reading();
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
    reader.close();
    t.deepEqual(said, expected, `${size}`);
  }
});

test('a stream that is cut off keeps its whole turns, and its lane was killed', (t) => {
  const stream = written((writer) => {
    writer.turn(0, 1, Uint8Array.of(1), 1);
    writer.turn(1, 2, Uint8Array.of(2), 1);
  });
  const { said, reader } = reading();
  reader.push(stream.subarray(0, stream.length - 1));
  reader.close();
  reader.push(stream);
  t.deepEqual(said, [
    ['turn', 0, 1, [1]],
    ['end', 'killed', 'its stream was cut off'],
  ]);
});

test('whatever a child sends, it ends once, and nothing large is kept for it', (t) => {
  const { said, reader } = reading();
  reader.push(Uint8Array.of(255, 255, 255, 255, 1));
  t.deepEqual(said, [['end', 'killed', 'its stream is damaged']]);
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      const fuzzed = reading();
      for (const chunk of chunks) fuzzed.reader.push(chunk);
      fuzzed.reader.close();
      t.is(fuzzed.said.filter(([kind]) => kind === 'end').length, 1);
    }),
    { numRuns: 1000 },
  );
});

test('a pipe that nobody reads any more is reported once', (t) => {
  let broken = 0;
  const writer = new LaneStreamWriter(1_000_000, () => {
    broken++;
  });
  writer.turn(0, 1, Uint8Array.of(1), 1);
  writer.turn(1, 2, Uint8Array.of(1), 1);
  writer.end('stopped', '');
  t.is(broken, 1);
});
