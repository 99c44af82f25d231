import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { type ConsoleInput, consoleOn } from '../../../src/hal/native/console.js';

class FakeStream extends EventEmitter {
  readonly written: Uint8Array[] = [];
  /** What was asked of it as an input, in order. */
  readonly asked: string[] = [];

  write(data: Uint8Array): boolean {
    this.written.push(data);
    return true;
  }

  pause(): void {
    this.asked.push('pause');
  }

  resume(): void {
    this.asked.push('resume');
  }

  unref(): void {
    this.asked.push('unref');
  }
}

/** A console that is read, and what it has read. */
function reading(input: ConsoleInput) {
  const typed: number[][] = [];
  const implementation = consoleOn({ output: new FakeStream(), input });
  const screen = implementation.create({ input: ({ data }) => typed.push([...data]) });
  return { implementation, screen, typed };
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

test('what is typed is an event while the program listens', (t) => {
  const input = new FakeStream();
  const { screen, typed } = reading(input);
  input.emit('data', Buffer.from('0'));
  screen.listen({ on: true });
  screen.listen({ on: true });
  input.emit('data', Buffer.from('a'));
  screen.listen({ on: false });
  screen.listen({ on: false });
  input.emit('data', Buffer.from('b'));
  screen.listen({ on: true });
  input.emit('data', Buffer.from('cd'));
  t.deepEqual(typed, [[97], [99, 100]]);
  t.deepEqual(input.asked, ['resume', 'unref', 'pause', 'resume', 'unref']);
  t.is(input.listenerCount('error'), 1);
});

test('the end of the run ends the reading', (t) => {
  const input = new FakeStream();
  const { implementation, screen, typed } = reading(input);
  screen.listen({ on: true });
  implementation.dispose?.();
  input.emit('data', Buffer.from('b'));
  t.deepEqual(typed, []);
  t.deepEqual(input.asked, ['resume', 'unref', 'pause']);
});

test('an input that nobody listens to is left alone', (t) => {
  const input = new FakeStream();
  const { implementation, screen } = reading(input);
  screen.listen({ on: false });
  implementation.dispose?.();
  t.is(input.listenerCount('data'), 0);
  t.deepEqual(input.asked, []);
});

test('an input that fails is silent, and text is taken as UTF-8', (t) => {
  const input = new FakeStream();
  const { screen, typed } = reading(input);
  screen.listen({ on: true });
  input.emit('data', 'ü');
  input.emit('error', new Error('unplugged'));
  t.deepEqual(typed, [[0xc3, 0xbc]]);
});

test('without an input a program may listen and hears nothing', (t) => {
  const screen = consoleOn({ output: new FakeStream() }).create({ input: () => t.fail() });
  t.notThrows(() => screen.listen({ on: true }));
});

test('a stream of Node is read from where it was paused, and loses nothing', async (t) => {
  const input = new PassThrough();
  const { screen, typed } = reading(input);
  input.write('one ');
  screen.listen({ on: true });
  await setImmediate();
  screen.listen({ on: false });
  input.write('two ');
  await setImmediate();
  t.is(textOf(typed), 'one ');
  screen.listen({ on: true });
  await setImmediate();
  t.is(textOf(typed), 'one two ');
});

test('a process that listens to its standard input ends when it has nothing else to do', (t) => {
  const module = new URL('../../../src/hal/native/console.js', import.meta.url);
  const script = `
    import { consoleOn } from ${JSON.stringify(module.href)};
    const { stdin: input, stdout: output } = process;
    const screen = consoleOn({ input, output }).create({ input: () => {} });
    screen.listen({ on: true });
    screen.write({ data: Buffer.from('done') });
  `;
  // The pipe stays open: only the end of the process ends this.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
  });
  const output: string[] = [];
  child.stdout.on('data', (chunk) => output.push(String(chunk)));
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      t.is(code, 0);
      t.is(output.join(''), 'done');
      resolve();
    });
  });
});

function textOf(typed: readonly number[][]): string {
  return Buffer.from(typed.flat()).toString();
}
