import { EventEmitter } from 'node:events';
import test from 'ava';
import { rawTerminal } from '../../src/cli/raw-terminal.js';

class FakeTerminal extends EventEmitter {
  readonly modes: boolean[] = [];
  paused = 0;
  setRawMode(on: boolean): void {
    this.modes.push(on);
  }
  pause(): void {
    this.paused++;
  }
}

function open() {
  const terminal = new FakeTerminal();
  let quits = 0;
  const raw = rawTerminal(terminal, () => quits++);
  const typed = (bytes: string): void => void terminal.emit('data', Buffer.from(bytes));
  const read = (): string => raw.input.read()?.toString() ?? '';
  return { terminal, raw, typed, read, quits: () => quits };
}

test('every key is the guest’s, Ctrl-C too', (t) => {
  const { typed, read, quits, terminal } = open();
  typed('ls\r');
  typed('\u0003');
  t.is(read(), 'ls\r\u0003');
  t.is(quits(), 0);
  t.deepEqual(terminal.modes, [true]);
});

test('Ctrl-] ends the run; what was typed before it still goes to the guest', (t) => {
  const { typed, read, quits } = open();
  typed('ab\u001dcd');
  t.is(read(), 'ab');
  t.is(quits(), 1);
  typed('\u001d');
  t.is(read(), '');
  t.is(quits(), 2);
});

test('the terminal is given back once', (t) => {
  const { raw, terminal, typed, read } = open();
  raw.restore();
  raw.restore();
  t.deepEqual(terminal.modes, [true, false]);
  t.is(terminal.paused, 1);
  typed('x');
  t.is(read(), '');
});
