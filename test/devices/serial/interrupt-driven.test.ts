import test from 'ava';
import fc from 'fast-check';
import {
  DATA,
  IER,
  IIR,
  LCR,
  LSR,
  MSR,
  makePort,
  type PortRig,
  type Registers,
} from './harness.js';
import { autoconfig, consoleWrite, setDivisor, startUp } from './linux-driver.js';

/**
 * How a driver serves its interrupt. `until-none` is Linux: again until IIR has nothing. `once` looks at IIR once and
 * serves what LSR shows; `one-cause` only what IIR told of.
 */
type Style = 'until-none' | 'once' | 'one-cause';

const RING_SLOTS = 5;

/** The way to the port: KVM collects writes to the data register while the port lets it, in a ring of a few slots. */
class Bus implements Registers {
  readonly rig: PortRig;
  #isCollecting = false;
  #ring: number[] = [];

  constructor() {
    this.rig = makePort({
      wantsCoalescing: (on) => {
        this.#isCollecting = on;
      },
    });
  }

  in(register: number): number {
    this.#drain();
    return this.rig.registers.in(register);
  }

  out(register: number, value: number): void {
    if (register === DATA && this.#isCollecting && this.#ring.length < RING_SLOTS) {
      this.#ring.push(value);
      return;
    }
    this.#drain();
    this.rig.registers.out(register, value);
  }

  #drain(): void {
    for (const byte of this.#ring.splice(0)) this.rig.registers.out(DATA, byte);
  }
}

/** A driver that does nothing of its own accord: it sends and receives in its interrupt handler alone. */
class Driver {
  readonly bus = new Bus();
  readonly received: number[] = [];
  readonly #style: Style;
  readonly #unsent: number[] = [];
  #ier = 0x05;
  /** The edge that the interrupt controller holds while the handler runs. */
  #isLatched = false;
  #handler: Iterator<void> | undefined;

  constructor(style: Style) {
    this.#style = style;
    autoconfig(this.bus);
    startUp(this.bus);
    this.#latch();
  }

  get isInHandler(): boolean {
    return this.#handler !== undefined;
  }

  /** A program writes to the terminal. */
  send(bytes: Iterable<number>): void {
    this.#unsent.push(...bytes);
    if (this.#unsent.length === 0 || (this.#ier & 0x02) !== 0) return;
    this.#ier |= 0x02;
    this.bus.out(IER, this.#ier);
  }

  /** One access of the handler, if there is an interrupt. Returns false if there is nothing to do. */
  step(): boolean {
    this.#latch();
    if (this.#handler === undefined) {
      if (!this.#isLatched) return false;
      this.#isLatched = false;
      this.#handler = this.#handle();
    }
    if (this.#handler.next().done === true) this.#handler = undefined;
    return true;
  }

  /** Serves interrupts until none comes any more. */
  settle(): void {
    for (let steps = 0; this.step(); steps++) {
      if (steps > 1_000_000) throw new Error('the interrupts do not end');
    }
  }

  #latch(): void {
    if (this.bus.rig.takeEdges() > 0) this.#isLatched = true;
  }

  *#handle(): Generator<void> {
    for (;;) {
      const cause = this.bus.in(IIR) & 0x0f;
      yield;
      if ((cause & 1) !== 0) return;
      const serves = (which: number) => this.#style !== 'one-cause' || (cause & 0x07) === which;
      if (serves(0x04)) yield* this.#receive();
      this.bus.in(MSR);
      yield;
      if (serves(0x02) && (this.#ier & 0x02) !== 0) yield* this.#transmit();
      if (this.#style !== 'until-none') return;
    }
  }

  *#receive(): Generator<void> {
    while ((this.bus.in(LSR) & 1) !== 0) {
      yield;
      this.received.push(this.bus.in(DATA));
      yield;
    }
  }

  *#transmit(): Generator<void> {
    for (const byte of this.#unsent.splice(0, 16)) {
      this.bus.out(DATA, byte);
      yield;
    }
    if (this.#unsent.length > 0) return;
    this.#ier &= ~0x02;
    this.bus.out(IER, this.#ier);
  }
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 });
const operation = fc.oneof(
  fc.record({ kind: fc.constant('type' as const), bytes }),
  fc.record({ kind: fc.constant('send' as const), bytes }),
  fc.record({ kind: fc.constant('printk' as const), bytes }),
  fc.record({ kind: fc.constant('divisor' as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('serve' as const), steps: fc.integer({ min: 1, max: 40 }) }),
);

/** Text for bytes that keeps each of them. */
const latin1 = (data: Iterable<number>) => Buffer.from([...data]).toString('latin1');

for (const style of ['until-none', 'once', 'one-cause'] as const) {
  test(`no byte is lost or out of order, and no wait is for ever: interrupts served ${style}`, (t) => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const driver = new Driver(style);
        const { rig } = driver.bus;
        const typed: number[] = [];
        const sent: number[] = [];
        const printed: number[] = [];
        for (const step of operations) {
          // Programs and the kernel's messages wait for the port's lock, which the handler holds.
          const isLocked = driver.isInHandler;
          if (step.kind === 'type') {
            typed.push(...step.bytes);
            rig.type(latin1(step.bytes));
          } else if (step.kind === 'serve') {
            for (let count = step.steps; count > 0; count--) driver.step();
          } else if (isLocked) {
          } else if (step.kind === 'divisor') {
            setDivisor(driver.bus, step.value);
          } else if (step.kind === 'printk') {
            // Marked by the highest bit, so that the two kinds of output are told apart.
            const marked = step.bytes.map((byte) => byte | 0x80);
            printed.push(...marked);
            consoleWrite(driver.bus, marked);
          } else {
            const plain = step.bytes.map((byte) => byte & 0x7f);
            sent.push(...plain);
            driver.send(plain);
          }
        }
        driver.settle();
        driver.bus.in(LCR);
        rig.port.flush();
        const output = [...Buffer.from(rig.shown.join(''), 'latin1')];
        t.deepEqual(driver.received, typed);
        t.is(latin1(output.filter((byte) => byte < 0x80)), latin1(sent));
        t.is(latin1(output.filter((byte) => byte >= 0x80)), latin1(printed));
      }),
      { numRuns: 300 },
    );
  });
}

test('what is pasted while the guest sleeps arrives whole', (t) => {
  const driver = new Driver('until-none');
  const pasted = Uint8Array.from({ length: 60_000 }, (_, index) => index % 251);
  driver.bus.rig.type(latin1(pasted));
  driver.settle();
  t.deepEqual(driver.received, [...pasted]);
  t.is(driver.bus.rig.port.metrics.droppedInputBytes, 0);
});
