import test from 'ava';
import fc from 'fast-check';
import { IIR, LCR, LSR, MCR, makePort } from './harness.js';

test('accesses of another width, or beside the registers, read all ones, write nothing and are counted', (t) => {
  const { port, registers, shown } = makePort();
  const before = port.snapshot();
  for (const [offset, size] of [
    [0, 2],
    [4, 4],
    [0, 8],
    [0, 0],
    [8, 1],
    [-1, 1],
    [0x7fffffff, 1],
  ] as const) {
    t.deepEqual([...port.read(offset, size)], Array(size).fill(0xff));
    port.write(offset, new Uint8Array(size).fill(0x0a));
  }
  t.is(port.metrics.badReads, 7);
  t.is(port.metrics.badWrites, 7);
  t.deepEqual(port.snapshot(), before);
  port.flush();
  t.deepEqual(shown, []);
  t.is(registers.in(LCR), 0);
});

test('whatever a guest and a user do, the port answers, holds no more than it may and stays consistent', (t) => {
  const access = fc.record({
    register: fc.integer({ min: -1, max: 9 }),
    value: fc.nat(255),
    isWrite: fc.boolean(),
    size: fc.constantFrom(1, 1, 1, 1, 2, 4, 0),
    typed: fc.option(fc.string({ maxLength: 40 }), { freq: 8 }),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 300 }), (accesses) => {
      const rig = makePort({ inputLimitBytes: 64 });
      const { port, registers } = rig;
      let edges = 0;
      for (const { register, value, isWrite, size, typed } of accesses) {
        if (typed !== null) rig.type(typed);
        if (isWrite) port.write(register, new Uint8Array(size).fill(value));
        else t.is(port.read(register, size).length, size);
        edges += rig.takeEdges();
        const { received, transmitter } = port.snapshot();
        t.true(received.backlog.length <= 64 && received.fifo.length <= 16);
        t.true(transmitter.block.length < 256 && transmitter.line.length < 1024);
        t.is(registers.in(LSR) & 0x9c, 0);
      }
      t.is(port.metrics.interrupts, edges);
      // Each access is an edge for what it changed and one for what IIR left, at most; and typing one of its own.
      t.true(edges <= accesses.length * 3);
      // A guest that comes to its senses can use it again.
      registers.out(LCR, 0x03);
      registers.out(1, 0);
      registers.out(2, 0x07);
      registers.out(MCR, 0x0b);
      for (let left = 80; left > 0; left--) registers.in(0);
      registers.in(LSR);
      t.is(registers.in(LSR), 0x60);
      t.is(registers.in(IIR), 0xc1);
      rig.type('k');
      t.is(registers.in(0), 0x6b);
    }),
    { numRuns: 200 },
  );
});
