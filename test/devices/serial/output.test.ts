import test from 'ava';
import { FCR, IER, IIR, LSR, MCR, makePort } from './harness.js';
import { autoconfig, consoleWrite, startUp } from './linux-driver.js';

test('output is shown line by line, and what has no newline after 256 bytes', (t) => {
  const { shown, print, lines } = makePort();
  print('one\r\ntwo\nthr');
  t.deepEqual(shown, ['one\r\n', 'two\n']);
  print('ee\n');
  print('x'.repeat(600));
  t.deepEqual(lines, ['one', 'two', 'three']);
});

test('a prompt is shown when the guest turns to something else', (t) => {
  const waits: readonly ((registers: ReturnType<typeof makePort>['registers']) => void)[] = [
    (registers) => registers.out(IER, 0x05),
    (registers) => registers.in(IIR),
    (registers) => {
      registers.in(LSR);
      registers.in(LSR);
    },
  ];
  for (const wait of waits) {
    const rig = makePort();
    rig.print('login: ');
    t.deepEqual(rig.shown, []);
    wait(rig.registers);
    t.deepEqual(rig.shown, ['login: ']);
    wait(rig.registers);
    t.deepEqual(rig.shown, ['login: ']);
  }
});

test('a guest that looks at LSR before each byte has its line shown whole', (t) => {
  const { registers, shown } = makePort();
  for (const byte of Buffer.from('polled line\n')) {
    t.is(registers.in(LSR), 0x60);
    registers.out(0, byte);
  }
  t.deepEqual(shown, ['polled line\n']);
});

test('the kernel’s own messages are a call for each line, and what it leaves open is shown at once', (t) => {
  const { registers, shown, lines } = makePort();
  autoconfig(registers);
  startUp(registers);
  const line = `[    0.000000] Linux version ${'6.1.0 '.repeat(10)}\r\n`;
  consoleWrite(registers, Buffer.from(line));
  consoleWrite(registers, Buffer.from('Loading, please wait...'));
  t.deepEqual(shown, [line, 'Loading, please wait...']);
  consoleWrite(registers, Buffer.from('\r\nKernel panic - not syncing\r\n'));
  t.deepEqual(lines.slice(1), ['Loading, please wait...', 'Kernel panic - not syncing']);
});

test('a line that was shown in pieces is one for the listener; a flush ends it', (t) => {
  const { port, registers, print, lines, shown } = makePort();
  print('pass');
  registers.out(IER, 0);
  print('word: ü\r\nnext');
  t.deepEqual(lines, ['password: ü']);
  port.flush();
  port.flush();
  t.deepEqual(lines, ['password: ü', 'next']);
  t.deepEqual(shown.slice(0, 1), ['pass']);
  t.is(shown.length, 3);
});

test('lines are cut at 1024 bytes, and what is not UTF-8 is replaced', (t) => {
  const { registers, print, lines } = makePort();
  print(`${'x'.repeat(1500)}\n`);
  for (const byte of [0x61, 0xff, 0x62, 0x0a]) registers.out(0, byte);
  t.deepEqual(
    lines.map((line) => line.length),
    [1024, 476, 3],
  );
  t.is(lines.at(-1), 'a\ufffdb');
});

test('a flood is dropped and counted within its window, and reported after it', (t) => {
  const { port, time, shown, print, lines } = makePort({ limits: { lines: 2, window: 1000 } });
  print('1\n2\n3\n');
  print('y'.repeat(256));
  t.deepEqual(lines, ['1', '2']);
  t.is(port.droppedLines, 2);
  time.now = 1000;
  print('4\n');
  t.deepEqual(shown.slice(2), [
    '[2 console lines of the guest were dropped: too many at once]\n',
    '4\n',
  ]);
});

test('writes may be collected from the first polled byte until THRI or DLAB are on', (t) => {
  const asked: boolean[] = [];
  const { registers, print } = makePort({ wantsCoalescing: (on) => asked.push(on) });
  const since = (body: () => void) => {
    asked.length = 0;
    body();
    return [...asked];
  };
  // Neither the start nor the settings ask for anything.
  const settings = () => {
    registers.out(3, 0x83);
    registers.out(0, 1);
    registers.out(3, 0x03);
    registers.out(MCR, 0x0b);
    registers.out(FCR, 0x81);
    registers.out(IER, 0x05);
  };
  t.deepEqual(since(settings), []);
  t.deepEqual(
    since(() => print('polled')),
    [true],
  );
  t.deepEqual(
    since(() => registers.out(IER, 0x07)),
    [false],
  );
  // A guest that sends by interrupts costs no call of the hypervisor for each line.
  const interruptDriven = () => {
    print('by interrupts\n');
    registers.out(IER, 0x05);
    registers.out(IER, 0x07);
    print('again\n');
    registers.out(IER, 0x05);
  };
  t.deepEqual(since(interruptDriven), []);
  t.deepEqual(
    since(() => print('x')),
    [true],
  );
  t.deepEqual(
    since(() => registers.out(3, 0x83)),
    [false],
  );
  t.deepEqual(
    since(() => print('divisor')),
    [],
  );
  // What the port says to itself is not worth it.
  const loop = () => {
    registers.out(3, 0x03);
    registers.out(MCR, 0x1b);
    print('loop');
  };
  t.deepEqual(since(loop), []);
});
