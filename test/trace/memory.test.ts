import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { scratchDirectory } from './support.js';

const WRITER = JSON.stringify(new URL('../../src/trace/writer.js', import.meta.url).href);
const READER = JSON.stringify(new URL('../../src/trace/reader.js', import.meta.url).href);

/** Memory that stays in use after `count` messages, in bytes, measured in a process of its own. */
function memoryAfter(path: string, count: number): { written: number; read: number } {
  const script = `
    import { TraceWriter } from ${WRITER};
    import { openTrace } from ${READER};
    const [path, count] = [process.argv[1], Number(process.argv[2])];
    const used = () => {
      globalThis.gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const writer = new TraceWriter({ path, library: 'x', compression: 'zstd' });
    const channel = writer.addChannel('main', 0, 'x');
    const payload = new Uint8Array(100);
    for (let i = 0; i < count; i += 1) {
      payload[i % 100] = i;
      writer.writeMessage(channel, i, i, payload, 0, 100);
    }
    const written = used();
    writer.close();
    const reader = openTrace(path);
    const cursor = reader.messages();
    let seen = 0;
    while (cursor.next()) seen += 1;
    if (seen !== count) throw new Error(seen + ' messages');
    console.log(JSON.stringify({ written, read: used() }));
    reader.close();
  `;
  const flags = ['--expose-gc', '--input-type=module', '-e', script, path, String(count)];
  return JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
}

test('ten times the messages do not need more memory', (t) => {
  const path = join(scratchDirectory(t), 'long.mcap');
  const few = memoryAfter(path, 40_000);
  const many = memoryAfter(path, 400_000);
  const MIB = 1024 * 1024;
  t.true(many.written - few.written < 2 * MIB, `writer: ${many.written - few.written} bytes more`);
  t.true(many.read - few.read < 2 * MIB, `reader: ${many.read - few.read} bytes more`);
});
