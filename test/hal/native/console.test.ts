import { EventEmitter } from 'node:events';
import test from 'ava';
import { consoleOn } from '../../../src/hal/native/console.js';

class FakeStream extends EventEmitter {
  readonly written: Uint8Array[] = [];
  isTTY = true;
  paused = false;

  write(data: Uint8Array): boolean {
    this.written.push(data);
    return true;
  }

  pause(): void {
    this.paused = true;
  }
}

test('writes a copy of what the guest wrote', (t) => {
  const output = new FakeStream();
  const screen = consoleOn({ output }).create({ input: () => {} });
  const data = new Uint8Array([72, 105]);
  screen.write({ data });
  data.fill(0);
  t.deepEqual(
    output.written.map((chunk) => [...chunk]),
    [[72, 105]],
  );
});

test('an output that failed is a typed error of the next write, not the end of the process', (t) => {
  const output = new FakeStream();
  const screen = consoleOn({ output }).create({ input: () => {} });
  const data = new Uint8Array([1]);
  output.emit('error', Object.assign(new Error('broken'), { code: 'EPIPE', errno: -32 }));
  t.like(
    t.throws(() => screen.write({ data })),
    {
      code: 'SYSCALL_FAILED',
      errno: 32,
      syscall: 'write',
    },
  );
});

test('what is typed on a terminal is an event, until the end', (t) => {
  const input = new FakeStream();
  const typed: number[][] = [];
  const implementation = consoleOn({ output: new FakeStream(), input });
  implementation.create({ input: ({ data }) => typed.push([...data]) });
  input.emit('data', Buffer.from('a'));
  implementation.dispose?.();
  input.emit('data', Buffer.from('b'));
  t.deepEqual(typed, [[97]]);
  t.true(input.paused);
});

test('input that is no terminal is left alone', (t) => {
  const input = new FakeStream();
  input.isTTY = false;
  const implementation = consoleOn({ output: new FakeStream(), input });
  implementation.create({ input: () => t.fail() });
  t.is(input.listenerCount('data'), 0);
  implementation.dispose?.();
  t.false(input.paused);
});
