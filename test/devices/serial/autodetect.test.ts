import test from 'ava';
import { makePort } from './harness.js';
import { autoconfig, startUp } from './linux-driver.js';

test('Linux takes it for a 16550A with 16 bytes of FIFO, and leaves it as it was', (t) => {
  const { port, registers, shown, takeEdges } = makePort();
  const before = port.snapshot();
  t.deepEqual(autoconfig(registers), { type: '16550A', fifoSize: 16 });
  const { registers: after, received } = port.snapshot();
  t.like(after, { ...before.registers, hasOverrun: false, modemChanges: after.modemChanges });
  t.deepEqual([...received.fifo], []);
  // What the port said to itself in the loop is not for the user, and interrupts have not been let through.
  t.deepEqual(shown, []);
  t.is(takeEdges(), 0);
});

test('Linux finds none of the bugs that it works around', (t) => {
  const { port, registers } = makePort();
  autoconfig(registers);
  t.deepEqual(startUp(registers), { isAbsent: false, needsTimer: false, needsKick: false });
  t.like(port.snapshot().registers, {
    interruptEnable: 0x05,
    fifoControl: 0x81,
    lineControl: 0x03,
    modemControl: 0x0b,
    divisor: 1,
  });
});

test('what was typed before the port was open is there once it is', (t) => {
  const { registers, type, readAll } = makePort();
  type('typed early, and more of it than a FIFO holds');
  autoconfig(registers);
  startUp(registers);
  t.is(readAll(45), 'typed early, and more of it than a FIFO holds');
});
