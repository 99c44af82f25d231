import test from 'ava';
import { DATA, FCR, IER, IIR, LCR, LSR, MCR, MSR, makePort, SCR } from './harness.js';

/** RTS and OUT2: input may come, interrupts may go. */
const READY = 0x0a;

function readyPort(options = {}) {
  const rig = makePort(options);
  rig.registers.out(MCR, READY);
  return rig;
}

test('after power-on nothing is enabled and nothing is there', (t) => {
  const { registers } = makePort();
  const values = Array.from({ length: 8 }, (_, register) => registers.in(register));
  t.deepEqual(values, [0, 0, 0x01, 0, 0, 0x60, 0xb0, 0]);
});

test('registers keep the bits that they have', (t) => {
  const { registers } = makePort();
  const written = [IER, LCR, MCR, SCR].map((register) => {
    registers.out(register, 0xff);
    const value = registers.in(register);
    registers.out(register, 0);
    return [value, registers.in(register)];
  });
  t.deepEqual(written, [
    [0x0f, 0],
    [0xff, 0],
    [0x1f, 0],
    [0xff, 0],
  ]);
  registers.out(LSR, 0xff);
  registers.out(MSR, 0xff);
  t.is(registers.in(LSR), 0x60);
  t.is(registers.in(MSR) & 0xf0, 0xb0);
});

test('DLAB shows the divisor where data and IER are, and nothing of it is sent', (t) => {
  const { port, registers, shown } = readyPort();
  registers.out(IER, 0x05);
  registers.out(LCR, 0x83);
  t.deepEqual([registers.in(0), registers.in(1)], [12, 0]);
  registers.out(0, 0x34);
  registers.out(1, 0x12);
  t.deepEqual([registers.in(0), registers.in(1)], [0x34, 0x12]);
  registers.out(LCR, 0x03);
  t.is(registers.in(IER), 0x05);
  port.flush();
  t.deepEqual(shown, []);
  t.is(port.metrics.sentBytes, 0);
});

test('IIR says that FIFOs are on while they are', (t) => {
  const { registers } = makePort();
  registers.out(FCR, 0x01);
  t.is(registers.in(IIR), 0xc1);
  registers.out(FCR, 0x21);
  t.is(registers.in(IIR), 0xc1);
  // Without the first bit the others count for nothing.
  registers.out(FCR, 0xc6);
  t.is(registers.in(IIR), 0x01);
  t.is(makePort().registers.in(IIR), 0x01);
});

test('input comes once RTS is up, byte by byte, and LSR tells', (t) => {
  const { registers, type } = makePort();
  type('ab');
  t.is(registers.in(LSR), 0x60);
  registers.out(MCR, 0x01);
  t.is(registers.in(LSR), 0x60);
  registers.out(MCR, 0x02);
  t.is(registers.in(LSR), 0x61);
  t.is(registers.in(DATA), 0x61);
  t.is(registers.in(LSR), 0x61);
  t.is(registers.in(DATA), 0x62);
  t.is(registers.in(LSR), 0x60);
  t.is(registers.in(DATA), 0);
});

test('a guest that lowers RTS gets what its FIFO holds and no more', (t) => {
  const { registers, type, readAll } = readyPort();
  registers.out(FCR, 0x01);
  type('0123456789abcdefghij');
  registers.out(MCR, 0x08);
  t.is(readAll(16), '0123456789abcdef');
  t.is(registers.in(LSR) & 1, 0);
  registers.out(MCR, READY);
  t.is(readAll(4), 'ghij');
});

test('a reset of the receive FIFO drops what is in the chip, not what is on the line', (t) => {
  for (const reset of [0x03, 0x00]) {
    const { registers, type, readAll } = readyPort();
    registers.out(FCR, 0x01);
    type('0123456789abcdefghij');
    // 0x00 turns the FIFOs off, which empties them too.
    registers.out(FCR, reset);
    t.is(readAll(4), 'ghij');
    t.is(registers.in(LSR) & 1, 0);
  }
  const { registers, type } = readyPort();
  registers.out(FCR, 0x01);
  type('ab');
  // Neither its own setting again nor a reset of the transmitter empties the receiver.
  registers.out(FCR, 0x85);
  t.is(registers.in(DATA), 0x61);
});

test('the receive interrupt is a timeout below the trigger level, and gone with the last byte', (t) => {
  const { registers, type } = readyPort();
  registers.out(FCR, 0xc1);
  registers.out(IER, 0x01);
  type('0123456789abc');
  t.is(registers.in(IIR), 0xcc);
  type('d');
  t.is(registers.in(IIR), 0xc4);
  registers.out(FCR, 0x01);
  for (let left = 14; left > 0; left--) {
    t.is(registers.in(IIR), 0xc4);
    registers.in(DATA);
  }
  t.is(registers.in(IIR), 0xc1);
  // A trigger level without FIFOs is none.
  registers.out(FCR, 0xc0);
  type('e');
  t.is(registers.in(IIR), 0x04);
});

test('the transmit interrupt comes with its enabling and after each byte, and IIR clears it', (t) => {
  const { registers, takeEdges } = readyPort();
  registers.out(IER, 0x02);
  t.is(takeEdges(), 1);
  t.is(registers.in(IIR), 0x02);
  t.is(registers.in(IIR), 0x01);
  registers.out(IER, 0x02);
  t.is(registers.in(IIR), 0x01);
  t.is(takeEdges(), 0);
  registers.out(DATA, 0x41);
  registers.out(DATA, 0x42);
  t.is(takeEdges(), 1);
  registers.out(IER, 0);
  t.is(registers.in(IIR), 0x01);
  registers.out(IER, 0x02);
  t.is(takeEdges(), 1);
  t.is(registers.in(IIR), 0x02);
});

test('one edge for each cause that comes up, and one for what is left after IIR', (t) => {
  const { registers, type, takeEdges } = readyPort();
  registers.out(IER, 0x03);
  t.is(takeEdges(), 1);
  type('a');
  t.is(takeEdges(), 1);
  // Received data is more urgent; the transmitter is left.
  t.is(registers.in(IIR), 0x04);
  t.is(takeEdges(), 1);
  registers.in(DATA);
  t.is(takeEdges(), 0);
  t.is(registers.in(IIR), 0x02);
  t.is(takeEdges(), 0);
  t.is(registers.in(IIR), 0x01);
});

test('each input is an edge, also while data waits', (t) => {
  const { registers, type, takeEdges } = readyPort();
  type('a');
  t.is(takeEdges(), 0);
  registers.out(IER, 0x01);
  t.is(takeEdges(), 1);
  type('b');
  t.is(takeEdges(), 1);
});

test('OUT2 and the loop keep the interrupt back; what waited is raised then', (t) => {
  const { registers, type, takeEdges } = makePort();
  registers.out(MCR, 0x02);
  registers.out(IER, 0x03);
  type('a');
  t.is(takeEdges(), 0);
  t.is(registers.in(IIR), 0x04);
  registers.out(MCR, 0x1a);
  t.is(takeEdges(), 0);
  registers.out(MCR, 0x0a);
  t.is(takeEdges(), 1);
});

test('in the loop bytes come back, modem outputs are inputs, and the user is not in between', (t) => {
  const { port, registers, shown, type, readAll } = readyPort();
  registers.in(MSR);
  registers.out(FCR, 0x01);
  registers.out(MCR, 0x1a);
  t.is(registers.in(MSR) >> 4, 0x9);
  type('user');
  for (const byte of Buffer.from('loop')) registers.out(DATA, byte);
  t.is(readAll(4), 'loop');
  t.is(registers.in(LSR), 0x60);
  registers.out(MCR, READY);
  t.is(readAll(4), 'user');
  port.flush();
  t.deepEqual(shown, []);
});

test('changes of the modem lines are told once, and of the ring only the end', (t) => {
  const { registers, takeEdges } = readyPort();
  registers.out(IER, 0x08);
  t.is(takeEdges(), 0);
  // Into the loop with all outputs on: the ring begins, the rest stays.
  registers.out(MCR, 0x1f);
  t.is(registers.in(MSR), 0xf0);
  registers.out(MCR, 0x1b);
  t.is(registers.in(IIR), 0x00);
  t.is(registers.in(MSR), 0xb4);
  t.is(registers.in(MSR), 0xb0);
  registers.out(MCR, 0x10);
  registers.out(MCR, READY);
  t.is(takeEdges(), 1);
  t.is(registers.in(IIR), 0x00);
  t.is(registers.in(MSR), 0xbb);
  t.is(registers.in(IIR), 0x01);
});

test('an overrun is told once by LSR and is the most urgent interrupt', (t) => {
  const { registers } = readyPort();
  registers.out(MCR, 0x10);
  registers.out(IER, 0x05);
  registers.out(DATA, 0x41);
  t.is(registers.in(IIR), 0x04);
  registers.out(DATA, 0x42);
  t.is(registers.in(IIR), 0x06);
  t.is(registers.in(LSR), 0x63);
  t.is(registers.in(LSR), 0x61);
  t.is(registers.in(IIR), 0x04);
  // Without FIFOs the new byte has taken the old one's place.
  t.is(registers.in(DATA), 0x42);
  registers.out(FCR, 0x01);
  for (let byte = 0; byte < 17; byte++) registers.out(DATA, byte);
  t.is(registers.in(LSR), 0x63);
  t.is(registers.in(DATA), 0);
});

test('input that finds no room is counted and an overrun', (t) => {
  const { port, registers, type, readAll } = readyPort({ inputLimitBytes: 8 });
  type('0123456789ab');
  t.is(port.metrics.inputBytes, 12);
  t.is(port.metrics.droppedInputBytes, 4);
  t.is(registers.in(LSR), 0x63);
  t.is(readAll(8), '01234567');
});

test('the console is stopped while much waits, and goes on when the guest has caught up', (t) => {
  const { port, handlers, listens, registers, type, readAll } = readyPort({ inputLimitBytes: 64 });
  t.deepEqual(listens, [true]);
  type('x'.repeat(16));
  t.deepEqual(listens, [true]);
  type('yz');
  t.deepEqual(listens, [true, false]);
  t.is(readAll(13), 'x'.repeat(13));
  t.deepEqual(listens, [true, false]);
  registers.in(DATA);
  t.deepEqual(listens, [true, false, true]);
  port.close();
  port.close();
  registers.in(DATA);
  t.deepEqual(listens, [true, false, true, false]);
  t.is(handlers.size, 0);
});
