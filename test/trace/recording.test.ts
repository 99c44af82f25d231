import { join } from 'node:path';
import test from 'ava';
import { u32 } from '../../src/hal/contract/codec.js';
import { defineHal, event } from '../../src/hal/contract/define.js';
import { TraceWriteError } from '../../src/trace/errors.js';
import { openTrace } from '../../src/trace/reader.js';
import { Recording } from '../../src/trace/recording.js';
import { openTraceFile } from '../../src/trace/trace-file.js';
import { scratchDirectory } from './support.js';

const Bell = defineHal('bell', { rung: event({ times: u32 }) });

function record(path: string, onError: (error: TraceWriteError) => void = fail): Recording {
  return new Recording({
    path,
    program: { package: 'test', export: 'bell', version: 1, config: {} },
    contracts: [Bell],
    library: 'halyard test',
    machine: {},
    onError,
  });
}

function fail(error: TraceWriteError): void {
  throw error;
}

function turnsOf(path: string): { lane: string; sequence: number; bytes: number }[] {
  const reader = openTrace(path);
  const cursor = reader.messages();
  const turns: { lane: string; sequence: number; bytes: number }[] = [];
  while (cursor.next()) {
    const lane = reader.info.channels.get(cursor.channelId)?.topic ?? '';
    turns.push({ lane, sequence: cursor.sequence, bytes: cursor.end - cursor.start });
  }
  reader.close();
  return turns;
}

test('lanes, their turns and how they ended; two traces at once do not meet', (t) => {
  const directory = scratchDirectory(t);
  const paths = [join(directory, 'a.mcap'), join(directory, 'b.mcap')] as const;
  const traces = paths.map((path) => record(path));
  const lanes = traces.map((trace) => [trace.lane('main'), trace.lane('device')] as const);
  const payload = new Uint8Array(3_000_000);
  for (let number = 0; number < 40; number++) {
    lanes.forEach(([main, device], which) => {
      main.turn(number, number, payload, 100 + which);
      // Longer than the ring lets one frame be.
      if (number % 20 === 19) device.turn(number, number, payload, payload.length - which);
    });
  }
  for (const trace of traces) {
    trace.endLane('main', 'stopped');
    trace.endLane('device', 'killed', 'by SIGKILL');
    trace.close();
    trace.close();
  }
  paths.forEach((path, which) => {
    const turns = turnsOf(path);
    const main = turns.filter(({ lane }) => lane === 'main');
    t.deepEqual(
      main.map(({ sequence }) => sequence),
      Array.from({ length: 40 }, (_, number) => number),
    );
    t.true(main.every(({ bytes }) => bytes === 100 + which));
    const device = turns.filter(({ lane }) => lane === 'device');
    t.deepEqual(
      device.map(({ bytes }) => bytes),
      [3_000_000 - which, 3_000_000 - which],
    );
    const file = openTraceFile(path);
    t.deepEqual(
      file.lanes.map(({ name, outcome, detail, turns: count }) => [name, outcome, detail, count]),
      [
        ['main', 'stopped', '', 40],
        ['device', 'killed', 'by SIGKILL', 2],
      ],
    );
    file.reader.close();
    t.is(traces[which]?.failed, undefined);
    t.true((traces[which]?.writtenBytes ?? 0) > 1000);
  });
});

test('turns are in the file soon, without the help of the event loop that records them', (t) => {
  const path = join(scratchDirectory(t), 'soon.mcap');
  const trace = record(path);
  const lane = trace.lane('main');
  lane.turn(0, 0, new Uint8Array(10), 10);
  const before = trace.writtenBytes;
  // As in a native call that blocks.
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; waits < 500 && trace.writtenBytes <= before; waits++) {
    Atomics.wait(pause, 0, 0, 20);
  }
  t.true(trace.writtenBytes > before);
  trace.close();
});

test('a path that cannot be opened is said at once', (t) => {
  const error = t.throws(() => record('/nowhere/at/all.mcap'), { instanceOf: TraceWriteError });
  t.is(error?.errno, 'ENOENT');
});

test('a failure is told once; the recorded program goes on, and what it still hands over is dropped', async (t) => {
  const errors: TraceWriteError[] = [];
  const trace = record('/dev/full', (error) => errors.push(error));
  const lane = trace.lane('main');
  // An idle program hears of it too.
  while (errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let number = 0; number < 10_000; number++) lane.turn(number, 0, new Uint8Array(1000), 1000);
  trace.endLane('main', 'stopped');
  trace.close();
  t.is(errors.length, 1);
  t.is(errors[0]?.errno, 'ENOSPC');
  t.is(errors[0]?.file, '/dev/full');
  t.is(trace.failed, errors[0]);
});

test('a failure that nobody had the time to hear of is known when the trace is closed', (t) => {
  const errors: TraceWriteError[] = [];
  const trace = record('/dev/full', (error) => errors.push(error));
  trace.lane('main');
  trace.close();
  t.is(errors.length, 1);
  t.is(trace.failed?.errno, 'ENOSPC');
});

test('a turn beyond what a trace may hold ends the recording, and what came before stays', (t) => {
  const path = join(scratchDirectory(t), 'large.mcap');
  const errors: TraceWriteError[] = [];
  const trace = record(path, (error) => errors.push(error));
  const lane = trace.lane('main');
  lane.turn(0, 0, new Uint8Array(10), 10);
  const large = new Uint8Array(32 * 1024 * 1024 + 1);
  lane.turn(1, 0, large, large.length);
  lane.turn(2, 0, new Uint8Array(10), 10);
  trace.close();
  t.deepEqual(
    errors.map(({ errno }) => errno),
    ['EMSGSIZE'],
  );
  t.deepEqual(
    turnsOf(path).map(({ sequence }) => sequence),
    [0],
  );
});

test('a program that is faster than the disk waits for it, and nothing is lost', (t) => {
  const path = join(scratchDirectory(t), 'fast.mcap');
  const trace = record(path);
  const lane = trace.lane('main');
  const bytes = new Uint8Array(300);
  for (let number = 0; number < 100_000; number++) {
    // Random, so that it does not get any smaller.
    if (number % 1000 === 0) crypto.getRandomValues(bytes);
    lane.turn(number, number, bytes, bytes.length);
  }
  trace.endLane('main', 'stopped');
  trace.close();
  t.is(trace.failed, undefined);
  const file = openTraceFile(path);
  t.is(file.lanes[0]?.turns, 100_000);
  file.reader.verify();
  file.reader.close();
});
