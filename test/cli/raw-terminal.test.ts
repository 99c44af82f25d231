import { spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
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

/** script(1) of util-linux gives a program a terminal, and types on it what it reads. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes(
  'util-linux',
);
const reason = hasScript === true ? '' : ' (skipped: no script(1) of util-linux)';
const onTerminal = reason === '' ? test : test.skip;

onTerminal(
  `on a real terminal: keys as they are typed, no echo, and the modes of before at the end${reason}`,
  async (t) => {
    const helper = fileURLToPath(new URL('./terminal-helper.js', import.meta.url));
    const modes =
      'stty -a | tr " ;" "\\n\\n" | grep -xE -e "-?(icanon|echo|isig)" | sort | tr "\\n" " "';
    const command = `${modes}; echo; ${process.execPath} ${helper}; ${modes}`;
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], { stdio: 'pipe' });
    t.teardown(() => void terminal.kill('SIGKILL'));
    let shown = '';
    const sees = async (text: string): Promise<void> => {
      while (!shown.includes(text)) await once(terminal.stdout, 'data');
    };
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    await sees('terminal true');
    terminal.stdin.write('l');
    await sees('keys 6c');
    terminal.stdin.write('\u0003');
    await sees('keys 03');
    terminal.stdin.write('\u001d');
    await sees('ended');
    const [code] = await once(terminal, 'close');
    t.is(code, 0);
    const lines = shown.split(/\r?\n/).map((line) => line.trim());
    t.deepEqual(lines, [
      'echo icanon isig',
      'terminal true',
      'keys 6c',
      'keys 03',
      'ended',
      'echo icanon isig',
    ]);
  },
);
