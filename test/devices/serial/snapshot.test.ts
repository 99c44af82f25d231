import test from 'ava';
import { SnapshotError } from '../../../src/devices/snapshot-error.js';
import { FCR, IER, IIR, LCR, LSR, MCR, makePort, type PortRig } from './harness.js';

/** A port in the middle of everything. */
function busyPort(): PortRig {
  const rig = makePort();
  const { registers } = rig;
  registers.out(LCR, 0x83);
  registers.out(0, 0x34);
  registers.out(LCR, 0x03);
  registers.out(FCR, 0x81);
  registers.out(MCR, 0x0b);
  rig.print('a line in ');
  registers.out(IER, 0x07);
  rig.print('two ');
  rig.type('0123456789abcdefghij');
  return rig;
}

test('a restored port goes on with its registers, its input and its half a line', (t) => {
  const snapshot = structuredClone(busyPort().port.snapshot());
  const { port, registers, print, lines, shown, readAll, takeEdges } = makePort();
  port.restore(snapshot);
  t.deepEqual(port.snapshot(), snapshot);
  // An edge may have been on its way: the guest is told again, and of both causes.
  t.is(takeEdges(), 1);
  t.is(registers.in(IIR), 0xc4);
  t.is(takeEdges(), 1);
  t.is(readAll(20), '0123456789abcdefghij');
  t.is(registers.in(IIR), 0xc2);
  print('pieces\n');
  t.deepEqual(shown.slice(-1), ['two pieces\n']);
  t.deepEqual(lines, ['a line in two pieces']);
  registers.out(LCR, 0x83);
  t.is(registers.in(0), 0x34);
});

test('a port that goes back to its own snapshot tells the guest again', (t) => {
  const { port, takeEdges } = busyPort();
  takeEdges();
  port.restore(port.snapshot());
  t.is(takeEdges(), 1);
});

test('a fresh port restores to a fresh port, whatever it did before', (t) => {
  const fresh = makePort().port.snapshot();
  const { port, registers, takeEdges } = busyPort();
  takeEdges();
  port.restore(fresh);
  t.deepEqual(port.snapshot(), fresh);
  t.is(takeEdges(), 0);
  t.is(registers.in(LSR), 0x60);
});

test('writes are not collected any more if the restored guest sends by interrupts', (t) => {
  const asked: boolean[] = [];
  const { port, print } = makePort({ wantsCoalescing: (on) => asked.push(on) });
  print('polled');
  port.restore(busyPort().port.snapshot());
  t.deepEqual(asked, [true, false]);
});

test('a snapshot that cannot be is refused and changes nothing', (t) => {
  const good = busyPort().port.snapshot();
  const { registers, received, transmitter } = good;
  const { port } = makePort({ inputLimitBytes: 8 });
  const before = port.snapshot();
  const broken = [
    { ...good, registers: { ...registers, lineControl: 256 } },
    { ...good, registers: { ...registers, interruptEnable: 0x10 } },
    { ...good, registers: { ...registers, divisor: Number.NaN } },
    { ...good, received: { fifo: new Uint8Array(17), backlog: new Uint8Array(0) } },
    { ...good, registers: { ...registers, fifoControl: 0 } },
    { ...good, received: { ...received, backlog: new Uint8Array(9) } },
    { ...good, transmitter: { ...transmitter, block: new Uint8Array(256) } },
    { ...good, transmitter: { ...transmitter, line: new Uint8Array(1024) } },
    { ...good, transmitter: { ...transmitter, line: Uint8Array.of(0x0a) } },
  ];
  for (const snapshot of broken) {
    t.throws(() => port.restore(snapshot), { instanceOf: SnapshotError, code: 'CORRUPT' });
  }
  t.deepEqual(port.snapshot(), before);
});
