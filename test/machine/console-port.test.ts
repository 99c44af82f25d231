import test from 'ava';
import { GuestMemory } from '../../src/devices/virtio/guest-memory.js';
import { simulatedMemory } from '../../src/hal/simulated/memory.js';
import { ConsolePort } from '../../src/machine/console-port.js';
import { MIB } from './harness.js';

const LIMITS = { lines: 3, window: 1000 };

function setup() {
  const mmap = simulatedMemory().create({});
  const region = mmap.createRegion({ name: 'ram', size: MIB });
  const memory = new GuestMemory(mmap, [{ address: 0, size: MIB, region, offset: 0 }]);
  const events = { nowNs: 5000 };
  const shown: string[] = [];
  const lines: string[] = [];
  const port = new ConsolePort({
    console: { write: ({ data }) => void shown.push(new TextDecoder().decode(data)) },
    memory,
    events,
    onLine: (line) => lines.push(line),
    limits: LIMITS,
  });
  const type = (text: string) => {
    for (const byte of new TextEncoder().encode(text)) port.bytePort.write(0, Uint8Array.of(byte));
  };
  const store = (address: number, length: number, text: string) => {
    memory.write(address, new Uint8Array(Uint32Array.of(length).buffer));
    memory.write(address + 4, new TextEncoder().encode(text));
  };
  const point = (address: number) => {
    port.linePort.write(0, new Uint8Array(Uint32Array.of(address).buffer));
  };
  return { port, events, shown, lines, type, store, point };
}

test('bytes become lines; what has no newline yet waits for a flush', (t) => {
  const { port, shown, lines, type } = setup();
  type('first\nsec');
  t.deepEqual(shown, ['first\n']);
  type('ond\n\npar');
  t.deepEqual(lines, ['first', 'second', '']);
  port.flush();
  port.flush();
  t.deepEqual(shown, ['first\n', 'second\n', '\n']);
});

test('a flush shows the rest, once', (t) => {
  const { port, shown, lines, type } = setup();
  type('half a line: ü');
  port.flush();
  port.flush();
  t.deepEqual(shown, ['half a line: ü']);
  t.deepEqual(lines, ['half a line: ü']);
});

test('a line without an end is cut', (t) => {
  const { lines, type } = setup();
  type(`${'x'.repeat(1500)}\n`);
  t.deepEqual(
    lines.map((line) => line.length),
    [1024, 476],
  );
});

test('a line is read from guest memory, its length bounded', (t) => {
  const { port, lines, store, point } = setup();
  store(0x2001, 6, 'hello\nsecret');
  point(0x2001);
  store(0x3000, 0xffffffff, `${'y'.repeat(251)}\nbeyond`);
  point(0x3000);
  t.deepEqual(lines, ['hello', 'y'.repeat(251)]);
  t.is(port.badLines, 0);
});

test('addresses outside of RAM and odd accesses are counted, and read nothing', (t) => {
  const { port, lines, store, point } = setup();
  point(MIB);
  point(0xffffffff);
  point(MIB - 2);
  store(MIB - 8, 5, 'abc\n');
  point(MIB - 8);
  port.linePort.write(0, Uint8Array.of(1, 2));
  port.linePort.write(2, Uint8Array.of(1, 2));
  t.is(port.badLines, 6);
  t.deepEqual(lines, []);
  store(MIB - 8, 4, 'abc\n');
  point(MIB - 8);
  t.deepEqual(lines, ['abc']);
});

test('a flood is dropped and counted within its window, and reported after it', (t) => {
  const { port, events, shown, lines, type, store, point } = setup();
  store(0x1000, 5, 'line\n');
  type('1\n2\n3\n4\n');
  point(0x1000);
  events.nowNs += LIMITS.window - 1;
  type('5\n');
  t.deepEqual(lines, ['1', '2', '3']);
  t.is(port.droppedLines, 3);
  events.nowNs += 1;
  type('6\n7\n');
  t.deepEqual(lines, ['1', '2', '3', '6', '7']);
  t.deepEqual(shown.slice(3), [
    '[3 console lines of the guest were dropped: too many at once]\n',
    '6\n',
    '7\n',
  ]);
});

test('reading the ports finds nothing', (t) => {
  const { port } = setup();
  t.deepEqual(port.bytePort.read(0, 1), Uint8Array.of(0xff));
  t.deepEqual(port.linePort.read(0, 4), new Uint8Array(4).fill(0xff));
});
