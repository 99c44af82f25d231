import { spawnSync } from 'node:child_process';
import { existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { TraceFormatError, TraceWriteError } from '../../src/trace/errors.js';
import type { WriteCall } from '../../src/trace/output-file.js';
import { openTrace } from '../../src/trace/reader.js';
import { repairTrace } from '../../src/trace/repair.js';
import { TraceWriter } from '../../src/trace/writer.js';
import { fillSample, readTurns, sample, scratchDirectory } from './support.js';

const payload = new Uint8Array(100);

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: on purpose`), { code, syscall: 'write' });
}

test('short writes and interrupted ones are carried on', (t) => {
  const path = join(scratchDirectory(t), 'short.mcap');
  let calls = 0;
  const write: WriteCall = (fd, bytes, offset, length) => {
    calls += 1;
    if (calls % 3 === 0) throw systemError('EINTR');
    if (calls % 7 === 0) throw systemError('EAGAIN');
    return writeSync(fd, bytes, offset, Math.min(length, 1 + (calls % 90)));
  };
  const options = { path, library: 'halyard test', compression: 'none', chunkBytes: 600 } as const;
  const writer = new TraceWriter({ ...options, write });
  fillSample(writer);
  writer.close();
  t.true(calls > 50);
  t.deepEqual(readTurns(path), readTurns(sample(t, 'none')));
});

test('an error is told once, the rest does nothing, and what was flushed is kept', (t) => {
  const directory = scratchDirectory(t);
  const path = join(directory, 'full.mcap');
  let room = 1500;
  const write: WriteCall = (fd, bytes, offset, length) => {
    if (room <= 0) throw systemError('ENOSPC');
    const count = writeSync(fd, bytes, offset, Math.min(length, room));
    room -= count;
    return count;
  };
  const errors: TraceWriteError[] = [];
  const onError = (error: TraceWriteError): unknown => errors.push(error);
  const writer = new TraceWriter({ path, library: 'x', compression: 'none', write, onError });
  const channel = writer.addChannel('main', 0, 'x');
  for (let i = 0; i < 30; i += 1) {
    writer.writeMessage(channel, i, i, payload, 0, 100);
    if (i % 5 === 4) writer.flush();
  }
  writer.writeMetadata('m', { a: 'b' });
  writer.writeAttachment('a', 'b', payload);
  writer.close();
  t.is(errors.length, 1);
  t.is(errors[0]?.errno, 'ENOSPC');
  t.is(errors[0]?.syscall, 'write');
  t.is(errors[0]?.code, 'TRACE_WRITE_FAILED');
  t.is(errors[0]?.position, 1500);
  t.is(writer.failed, errors[0]);
  t.is(writer.pendingSinceMs, undefined);
  t.throws(() => openTrace(path), { instanceOf: TraceFormatError });
  const repaired = join(directory, 'repaired.mcap');
  repairTrace(path, repaired);
  t.is(readTurns(repaired).length, 5);
});

test('without onError the call that met the error throws it, once', (t) => {
  const path = join(scratchDirectory(t), 'io.mcap');
  let broken = false;
  const write: WriteCall = (fd, bytes, offset, length) => {
    if (broken) throw systemError('EIO');
    return writeSync(fd, bytes, offset, length);
  };
  const writer = new TraceWriter({ path, library: 'x', compression: 'none', write });
  const channel = writer.addChannel('main', 0, 'x');
  writer.writeMessage(channel, 0, 0, payload, 0, 100);
  broken = true;
  const error = t.throws(() => writer.flush(), { instanceOf: TraceWriteError });
  t.is(error.errno, 'EIO');
  writer.writeMessage(channel, 1, 1, payload, 0, 100);
  writer.flush();
  writer.close();
  t.is(writer.failed, error);
});

test('a path that cannot be opened is a TraceWriteError', (t) => {
  const path = join(scratchDirectory(t), 'missing', 'a.mcap');
  const options = { path, library: 'x', compression: 'none' } as const;
  const error = t.throws(() => new TraceWriter(options), { instanceOf: TraceWriteError });
  t.is(error.errno, 'ENOENT');
  t.is(error.syscall, 'open');
  t.regex(error.message, /no trace was begun/);
});

const full = existsSync('/dev/full') ? test : test.skip;
full('a full disk (/dev/full, where the system has it)', (t) => {
  const errors: TraceWriteError[] = [];
  const onError = (error: TraceWriteError): unknown => errors.push(error);
  const options = { path: '/dev/full', library: 'x', compression: 'none', onError } as const;
  const writer = new TraceWriter(options);
  fillSample(writer);
  writer.close();
  t.deepEqual(
    errors.map(({ errno }) => errno),
    ['ENOSPC'],
  );
});

const posix = process.platform === 'win32' ? test.skip : test;
posix('a closed pipe (made with mkfifo, so not on Windows)', (t) => {
  const fifo = join(scratchDirectory(t), 'pipe');
  t.is(spawnSync('mkfifo', [fifo]).status, 0);
  // Opened for both directions by itself, the pipe has no reader once this process let go of it.
  const script = `
    import { closeSync, constants, openSync } from 'node:fs';
    import { TraceWriter } from ${JSON.stringify(new URL('../../src/trace/writer.js', import.meta.url).href)};
    const both = openSync(process.argv[1], constants.O_RDWR);
    const fd = openSync(process.argv[1], constants.O_WRONLY);
    const errors = [];
    const onError = (error) => errors.push(error.errno);
    const writer = new TraceWriter({ fd, library: 'x', compression: 'none', onError });
    const channel = writer.addChannel('main', 0, 'x');
    closeSync(both);
    for (let i = 0; i < 3; i += 1) {
      writer.writeMessage(channel, i, i, new Uint8Array(10), 0, 10);
      writer.flush();
    }
    writer.close();
    console.log(errors.join(), writer.failed.syscall);
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, fifo], {
    encoding: 'utf8',
  });
  t.is(child.stdout.trim(), 'EPIPE write', child.stderr);
});

test('the descriptor of a failed writer is still the caller\u2019s', (t) => {
  const path = join(scratchDirectory(t), 'mine.mcap');
  const fd = openSync(path, 'w');
  const write: WriteCall = () => {
    throw systemError('EIO');
  };
  const onError = (): void => {};
  new TraceWriter({ fd, library: 'x', compression: 'none', write, onError }).close();
  t.is(writeSync(fd, 'x'), 1);
});
