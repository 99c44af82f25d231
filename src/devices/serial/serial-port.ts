import { Console } from '../../hal/console.js';
import type { HalOf } from '../../hal/contract/define.js';
import type { Bytes } from '../../hal/contract/units.js';
import type { EventSource } from '../../reactor/reactor.js';
import { SnapshotError } from '../snapshot-error.js';
import { REGISTER_COUNT } from './constants.js';
import type { ConsoleLimits } from './limited-console.js';
import { newSerialMetrics, type SerialMetrics } from './metrics.js';
import type { ReceiverSnapshot } from './receiver.js';
import { impossibleRegister, type UartRegisters } from './registers.js';
import { Transmitter, type TransmitterSnapshot } from './transmitter.js';
import { Uart } from './uart.js';

/** Room for what a stream still hands over after the port has asked it to stop. */
const INPUT_LIMIT: Bytes = 256 << 10;
/** Fractions of the limit at which the console is asked to stop, and to go on. */
const STOP_AT = 1 / 4;
const GO_ON_AT = 1 / 16;

export interface SerialPortOptions {
  readonly console: HalOf<typeof Console>;
  readonly events: EventSource;
  /** Raises the port's interrupt: one edge for each call. */
  readonly interrupt: () => void;
  /** Each line that the guest wrote and the console was shown, without its end. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Of what is shown; a block without a newline counts as a line. */
  readonly limits?: ConsoleLimits | undefined;
  /** Bytes of input that may wait for the guest; more are dropped. */
  readonly inputLimitBytes?: Bytes | undefined;
  /**
   * Whether writes to the data register may be collected (`Kvm.coalesce`); at first they may not. Yes with the first byte
   * that is sent while transmit interrupts are off: a guest that sends by interrupts then costs no calls. No as soon as
   * they or DLAB are on, before the access that turns them on is answered.
   */
  readonly wantsCoalescing?: ((on: boolean) => void) | undefined;
}

/** Everything of a serial port. Plain data. */
export interface SerialSnapshot {
  readonly registers: UartRegisters;
  readonly received: ReceiverSnapshot;
  readonly transmitter: TransmitterSnapshot;
}

/**
 * A 16550A whose far end is the console: eight registers of one byte (COM1 of a PC; "ns16550a" with reg-shift 0).
 *
 * What the guest writes is shown at each newline, after 256 bytes, and when the guest turns to something else: it writes
 * IER (Linux does at both ends of a transmission), finds no interrupt in IIR, or reads LSR twice without sending in
 * between.
 *
 * Input waits until the guest raises RTS, as at a terminal with hardware handshake: Linux does so when the port is open
 * and its FIFO was emptied, so that nothing is lost that was typed early.
 */
export class SerialPort {
  readonly metrics: SerialMetrics = newSerialMetrics();
  readonly #options: SerialPortOptions;
  readonly #inputLimitBytes: Bytes;
  readonly #transmitter: Transmitter;
  readonly #uart: Uart;
  readonly #unsubscribe: () => void;
  #isCoalescing = false;
  #isListening = false;
  #isClosed = false;

  /** Inside a turn: it starts to listen to the console. */
  constructor(options: SerialPortOptions) {
    this.#options = options;
    this.#inputLimitBytes = options.inputLimitBytes ?? INPUT_LIMIT;
    this.#transmitter = new Transmitter(options);
    this.#uart = new Uart({
      inputLimitBytes: this.#inputLimitBytes,
      interrupt: () => {
        this.metrics.interrupts++;
        options.interrupt();
      },
      send: (byte) => this.#send(byte),
      paused: () => this.#transmitter.show(),
    });
    this.#unsubscribe = options.events.on(Console, 'input', undefined, ({ data }) =>
      this.receive(data),
    );
    this.#steerInput();
  }

  /** Lines and blocks of output that were not shown because too many came at once. */
  get droppedLines(): number {
    return this.#transmitter.dropped;
  }

  /** @returns `size` bytes: all ones for an access that no 16550 answers, which is counted. */
  read(offset: Bytes, size: Bytes): Uint8Array {
    if (size !== 1 || !isRegister(offset)) {
      this.metrics.badReads++;
      return new Uint8Array(size).fill(0xff);
    }
    const value = this.#uart.read(offset);
    this.#steerInput();
    return Uint8Array.of(value);
  }

  /** An access that no 16550 takes is ignored and counted. */
  write(offset: Bytes, data: Uint8Array): void {
    const [value] = data;
    if (value === undefined || data.length !== 1 || !isRegister(offset)) {
      this.metrics.badWrites++;
      return;
    }
    this.#uart.write(offset, value);
    if (!this.#uart.isPolled) this.#setCoalescing(false);
    this.#steerInput();
  }

  /** Bytes come in over the line: from the console, or from whoever types for the user. */
  receive(data: Uint8Array): void {
    this.metrics.inputBytes += data.length;
    this.metrics.droppedInputBytes += this.#uart.input(data);
    this.#steerInput();
  }

  /** Shows what the guest wrote and takes its last line for a whole one: at the end, or before somebody looks. */
  flush(): void {
    this.#transmitter.flush();
  }

  /** Flushes, and takes no more input. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#unsubscribe();
    this.#isClosed = true;
    this.#steerInput();
  }

  snapshot(): SerialSnapshot {
    return {
      registers: this.#uart.registers,
      received: this.#uart.received,
      transmitter: this.#transmitter.snapshot(),
    };
  }

  /**
   * Goes on where the snapshot was taken. An interrupt that may have been lost on the way is raised again.
   *
   * @throws SnapshotError
   */
  restore(snapshot: SerialSnapshot): void {
    this.#checkSnapshot(snapshot);
    this.#transmitter.restore(snapshot.transmitter);
    this.#uart.restore(snapshot.registers, snapshot.received);
    if (!this.#uart.isPolled) this.#setCoalescing(false);
    this.#steerInput();
  }

  #send(byte: number): void {
    this.metrics.sentBytes++;
    this.#transmitter.send(byte);
    if (this.#uart.isPolled) this.#setCoalescing(true);
  }

  #setCoalescing(on: boolean): void {
    if (on === this.#isCoalescing) return;
    this.#isCoalescing = on;
    this.#options.wantsCoalescing?.(on);
  }

  /** Stops the console while too much waits, so that what is pasted is slowed down and not lost. */
  #steerInput(): void {
    const { waiting } = this.#uart;
    const share = this.#isListening ? STOP_AT : GO_ON_AT;
    const on = waiting < this.#inputLimitBytes * share && !this.#isClosed;
    if (on === this.#isListening) return;
    this.#isListening = on;
    this.#options.console.listen({ on });
  }

  #checkSnapshot({ registers, received, transmitter }: SerialSnapshot): void {
    const impossible = impossibleRegister(registers);
    if (impossible !== undefined) {
      throw new SnapshotError('CORRUPT', `no serial port has ${impossible}`);
    }
    if (!this.#uart.canHold(registers, received)) {
      throw new SnapshotError('CORRUPT', 'the snapshot has more input than this port can hold');
    }
    if (!this.#transmitter.canHold(transmitter)) {
      throw new SnapshotError('CORRUPT', 'the snapshot has output that a port shows at once');
    }
  }
}

function isRegister(offset: number): boolean {
  return offset >= 0 && offset < REGISTER_COUNT;
}
