import type { Bytes } from '../../hal/contract/units.js';
import * as chip from './constants.js';
import { modemChanges, modemLines } from './modem-lines.js';
import { Receiver, type ReceiverSnapshot } from './receiver.js';
import { hasFifos, isListening, RESET_REGISTERS, type UartRegisters } from './registers.js';

export interface UartOptions {
  /** Bytes of input that may wait behind the FIFO. */
  readonly inputLimitBytes: Bytes;
  /** Raises the interrupt: one edge for each call. */
  readonly interrupt: () => void;
  /** A byte left the port. */
  readonly send: (byte: number) => void;
  /** The guest turns to something else than sending. */
  readonly paused: () => void;
}

/** Interrupt causes, the most urgent first (PC16550D, table IV). */
const CAUSE_LINE = 1;
const CAUSE_RECEIVE = 2;
const CAUSE_TRANSMIT = 4;
const CAUSE_MODEM = 8;

/**
 * The chip: registers, receive FIFO, interrupt. It sends in no time, and received bytes that are fewer than the trigger
 * level are a timeout at once.
 *
 * The interrupt is edges. There is one when a cause comes up, one when IIR tells of one cause and another is left, and
 * one for all that comes in.
 */
export class Uart {
  readonly #options: UartOptions;
  readonly #receiver: Receiver;
  #registers: { -readonly [K in keyof UartRegisters]: UartRegisters[K] } = { ...RESET_REGISTERS };
  /** The causes that the interrupt line is high for. */
  #asserted = 0;
  /** LSR was read since the last byte was sent. */
  #hasLooked = false;

  constructor(options: UartOptions) {
    this.#options = options;
    this.#receiver = new Receiver(options.inputLimitBytes);
  }

  /** Bytes that the FIFO has no room for yet. */
  get waiting(): Bytes {
    return this.#receiver.waiting;
  }

  /** Whether a write to the data register sends a byte and no more: no interrupt follows, and it is not the divisor. */
  get isPolled(): boolean {
    return !this.#isOn(chip.IER_TRANSMIT) && !this.#isDlab;
  }

  get registers(): UartRegisters {
    return { ...this.#registers };
  }

  get received(): ReceiverSnapshot {
    return this.#receiver.snapshot();
  }

  /** Whether this chip can have held these bytes with these registers. */
  canHold(registers: UartRegisters, received: ReceiverSnapshot): boolean {
    return this.#receiver.canHold(received, hasFifos(registers));
  }

  /** Goes on in another state. An interrupt that may have been lost on the way is raised again. */
  restore(registers: UartRegisters, received: ReceiverSnapshot): void {
    this.#registers = { ...registers };
    this.#receiver.restore(received, hasFifos(registers), isListening(registers));
    this.#hasLooked = false;
    this.#asserted = 0;
    this.#update();
  }

  /** Bytes come in over the line. Returns how many of them were lost. */
  input(data: Uint8Array): Bytes {
    const lost = this.#receiver.take(data);
    if (lost > 0) this.#registers.hasOverrun = true;
    // The guest may have had the interrupt masked when it was told of the bytes before these: it is told again.
    this.#asserted &= ~CAUSE_RECEIVE;
    this.#update();
    return lost;
  }

  read(register: number): number {
    const registers = this.#registers;
    switch (register) {
      case chip.DATA:
        return this.#isDlab ? registers.divisor & 0xff : this.#receive();
      case chip.IER:
        return this.#isDlab ? registers.divisor >> 8 : registers.interruptEnable;
      case chip.IIR_FCR:
        return this.#identify();
      case chip.LCR:
        return registers.lineControl;
      case chip.MCR:
        return registers.modemControl;
      case chip.LSR:
        return this.#lineStatus();
      case chip.MSR:
        return this.#modemStatus();
      default:
        return registers.scratch;
    }
  }

  /** LSR and MSR are read-only. */
  write(register: number, value: number): void {
    const registers = this.#registers;
    switch (register) {
      case chip.DATA:
        if (this.#isDlab) registers.divisor = (registers.divisor & 0xff00) | value;
        else this.#send(value);
        break;
      case chip.IER:
        if (this.#isDlab) registers.divisor = (registers.divisor & 0xff) | (value << 8);
        else this.#enableInterrupts(value & chip.IER_MASK);
        break;
      case chip.IIR_FCR:
        this.#controlFifos(value);
        break;
      case chip.LCR:
        registers.lineControl = value;
        break;
      case chip.MCR:
        this.#controlModem(value & chip.MCR_MASK);
        break;
      case chip.SCR:
        registers.scratch = value;
        break;
    }
  }

  get #isDlab(): boolean {
    return (this.#registers.lineControl & chip.LCR_DLAB) !== 0;
  }

  #isOn(interrupt: number): boolean {
    return (this.#registers.interruptEnable & interrupt) !== 0;
  }

  #send(byte: number): void {
    const registers = this.#registers;
    this.#hasLooked = false;
    const isLoop = (registers.modemControl & chip.MCR_LOOP) !== 0;
    if (!isLoop) this.#options.send(byte);
    else if (!this.#receiver.loop(byte)) registers.hasOverrun = true;
    // The byte is gone already: the register became empty once more.
    registers.isTransmitPending = this.#isOn(chip.IER_TRANSMIT);
    this.#update();
  }

  #receive(): number {
    const byte = this.#receiver.read();
    this.#update();
    return byte;
  }

  #enableInterrupts(enable: number): void {
    const registers = this.#registers;
    const turnedOn = enable & ~registers.interruptEnable;
    registers.interruptEnable = enable;
    // The holding register is always empty, and whoever turns the interrupt on is told so: also when IIR told of it
    // before (Linux tests both in serial8250_do_startup).
    if ((turnedOn & chip.IER_TRANSMIT) !== 0) registers.isTransmitPending = true;
    if (!this.#isOn(chip.IER_TRANSMIT)) registers.isTransmitPending = false;
    this.#options.paused();
    this.#update();
  }

  #controlFifos(value: number): void {
    // The other bits count only together with the first one (PC16550D, "FIFO Control Register").
    const isOn = (value & chip.FCR_ENABLE) !== 0;
    this.#registers.fifoControl = isOn ? value & chip.FCR_MASK : 0;
    this.#receiver.setFifos(isOn);
    if (isOn && (value & chip.FCR_CLEAR_RECEIVER) !== 0) this.#receiver.clear();
    this.#update();
  }

  #controlModem(value: number): void {
    const registers = this.#registers;
    const before = modemLines(registers.modemControl);
    registers.modemControl = value;
    registers.modemChanges |= modemChanges(before, modemLines(value));
    this.#receiver.setOpen(isListening(registers));
    this.#update();
  }

  #lineStatus(): number {
    const { hasOverrun } = this.#registers;
    this.#registers.hasOverrun = false;
    if (this.#hasLooked) this.#options.paused();
    this.#hasLooked = true;
    this.#update();
    return (
      chip.LSR_THRE |
      chip.LSR_TEMT |
      (this.#receiver.available > 0 ? chip.LSR_DATA_READY : 0) |
      (hasOverrun ? chip.LSR_OVERRUN : 0)
    );
  }

  #modemStatus(): number {
    const registers = this.#registers;
    const status = modemLines(registers.modemControl) | registers.modemChanges;
    registers.modemChanges = 0;
    this.#update();
    return status;
  }

  /** The most urgent cause. To read of the transmitter's is to clear it. */
  #identify(): number {
    const causes = this.#causes();
    const cause = causes & -causes;
    if (cause === CAUSE_TRANSMIT) this.#registers.isTransmitPending = false;
    if (cause === 0) this.#options.paused();
    this.#update();
    // A guest that handles one cause for each interrupt would wait for ever for the edge of the other.
    if ((this.#asserted & ~cause) !== 0) this.#options.interrupt();
    return this.#codeOf(cause) | (hasFifos(this.#registers) ? chip.IIR_FIFOS : 0);
  }

  #codeOf(cause: number): number {
    switch (cause) {
      case CAUSE_LINE:
        return chip.IIR_LINE_STATUS;
      case CAUSE_RECEIVE:
        return this.#isAtTrigger() ? chip.IIR_RECEIVE : chip.IIR_TIMEOUT;
      case CAUSE_TRANSMIT:
        return chip.IIR_TRANSMIT;
      case CAUSE_MODEM:
        return chip.IIR_MODEM_STATUS;
      default:
        return chip.IIR_NONE;
    }
  }

  #isAtTrigger(): boolean {
    // With the FIFOs off the level is the first one, a byte.
    const { fifoControl } = this.#registers;
    const level = chip.TRIGGER_LEVELS[fifoControl >> chip.FCR_TRIGGER_SHIFT] ?? 1;
    return this.#receiver.available >= level;
  }

  #causes(): number {
    const { hasOverrun, isTransmitPending, modemChanges } = this.#registers;
    const hasData = this.#receiver.available > 0;
    return (
      (hasOverrun && this.#isOn(chip.IER_LINE_STATUS) ? CAUSE_LINE : 0) |
      (hasData && this.#isOn(chip.IER_RECEIVE) ? CAUSE_RECEIVE : 0) |
      (isTransmitPending && this.#isOn(chip.IER_TRANSMIT) ? CAUSE_TRANSMIT : 0) |
      (modemChanges !== 0 && this.#isOn(chip.IER_MODEM_STATUS) ? CAUSE_MODEM : 0)
    );
  }

  /** Raises an edge for causes that were not there before. In the loop OUT2 is cut off, as all outputs are. */
  #update(): void {
    const { modemControl } = this.#registers;
    const isThrough = (modemControl & (chip.MCR_OUT2 | chip.MCR_LOOP)) === chip.MCR_OUT2;
    const causes = isThrough ? this.#causes() : 0;
    const isNew = (causes & ~this.#asserted) !== 0;
    this.#asserted = causes;
    if (isNew) this.#options.interrupt();
  }
}
