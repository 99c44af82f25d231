import test from 'ava';
import { TraceFormatError } from '../../src/trace/errors.js';
import { openTrace } from '../../src/trace/reader.js';
import { sample } from './support.js';

/** The error that opening and reading everything meets, if it meets one. */
function outcome(bytes: Uint8Array): unknown {
  try {
    openTrace(bytes).verify();
    return undefined;
  } catch (error) {
    return error;
  }
}

for (const compression of ['none', 'zstd'] as const) {
  test(`a file cut at any byte is refused (${compression})`, (t) => {
    const whole = sample(t, compression);
    t.is(outcome(whole), undefined);
    for (let size = 0; size < whole.length; size += 1) {
      const error = outcome(whole.slice(0, size));
      if (!(error instanceof TraceFormatError)) return t.fail(`cut at ${size}: ${error}`);
      const expected = size === 0 ? 'TRACE_EMPTY' : 'TRACE_TRUNCATED';
      if (error.code !== expected) return t.fail(`cut at ${size}: ${error.code} ${error.reason}`);
    }
    t.pass();
  });

  test(`a bit flipped in any byte is an error (${compression})`, (t) => {
    const bytes = sample(t, compression);
    for (let at = 0; at < bytes.length; at += 1) {
      const bit = (at * 5) % 8;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      const error = outcome(bytes);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      if (!(error instanceof TraceFormatError)) return t.fail(`byte ${at} bit ${bit}: ${error}`);
    }
    t.is(outcome(bytes), undefined);
  });

  test(`a flip in Header or metadata of an unfinished file is an error (${compression})`, (t) => {
    const whole = sample(t, compression);
    const view = new DataView(whole.buffer);
    let chunk = 8;
    while (view.getUint8(chunk) !== 0x06) chunk += 9 + view.getUint32(chunk + 1, true);
    // Cut before DataEnd, so that the CRC of the data section cannot be what notices.
    const bytes = whole.slice(0, chunk + 9 + view.getUint32(chunk + 1, true));
    const open = (): void => openTrace(bytes, { unfinished: 'read' }).verify();
    t.notThrows(open);
    for (let at = 0; at < chunk; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        t.throws(open, { instanceOf: TraceFormatError }, `byte ${at} bit ${bit}`);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      }
    }
  });
}

test('bytes appended or put in are an error', (t) => {
  const bytes = sample(t, 'none');
  const appended = new Uint8Array(bytes.length + 1);
  appended.set(bytes);
  t.true(outcome(appended) instanceof TraceFormatError);
  const doubled = new Uint8Array(Buffer.concat([bytes, bytes]));
  t.true(outcome(doubled) instanceof TraceFormatError);
});
