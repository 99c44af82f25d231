import { DATA, FCR, IER, IIR, LCR, LSR, MCR, MSR, type Registers, SCR } from './harness.js';

/**
 * What Linux's 8250 driver asks of a port (drivers/tty/serial/8250/8250_port.c, 6.1), step by step: the probe, the start-up
 * and the tests in it.
 */
export interface Probe {
  readonly type: '16550A' | '16450' | '8250' | '16550' | '16650' | '16750' | 'xscale' | 'none';
  readonly why?: string;
  readonly fifoSize?: number;
}

/** autoconfig(), with the tests for variants of the 16550A (CONFIG_SERIAL_8250_16550A_VARIANTS). */
export function autoconfig(uart: Registers): Probe {
  const savedIer = uart.in(IER);
  uart.out(IER, 0);
  const off = uart.in(IER) & 0x0f;
  uart.out(IER, 0x0f);
  const on = uart.in(IER) & 0x0f;
  uart.out(IER, savedIer);
  if (off !== 0 || on !== 0x0f) return { type: 'none', why: 'IER' };

  const savedMcr = uart.in(MCR);
  const savedLcr = uart.in(LCR);
  uart.out(MCR, 0x1a);
  const looped = uart.in(MSR) & 0xf0;
  uart.out(MCR, savedMcr);
  if (looped !== 0x90) return { type: 'none', why: `loop ${looped.toString(16)}` };

  uart.out(LCR, 0xbf);
  uart.out(FCR, 0);
  uart.out(LCR, 0);
  uart.out(FCR, 0x01);
  const kind = uart.in(IIR) >> 6;
  const probe = kind === 3 ? variantOf16550a(uart) : kindOf(kind, uart);
  uart.out(LCR, savedLcr);
  uart.out(MCR, savedMcr);
  clearFifos(uart);
  uart.in(DATA);
  uart.out(IER, 0);
  return probe;
}

function kindOf(kind: number, uart: Registers): Probe {
  if (kind === 1) return { type: 'none', why: 'IIR' };
  if (kind === 2) return { type: '16550' };
  uart.out(SCR, 0xa5);
  const first = uart.in(SCR);
  uart.out(SCR, 0x5a);
  return { type: first === 0xa5 && uart.in(SCR) === 0x5a ? '16450' : '8250' };
}

function variantOf16550a(uart: Registers): Probe {
  uart.out(LCR, 0x80);
  if (uart.in(FCR) === 0) return { type: '16650', why: 'EFR under DLAB' };
  uart.out(LCR, 0xbf);
  if (uart.in(FCR) === 0) return { type: '16650', why: 'EFR under 0xbf' };
  // National's SuperIO shows MCR's loop bit in another bank.
  uart.out(LCR, 0);
  const mcr = uart.in(MCR);
  uart.out(LCR, 0xe0);
  if (((uart.in(2) ^ mcr) & 0x10) === 0) {
    uart.out(LCR, 0);
    uart.out(MCR, mcr ^ 0x10);
    uart.out(LCR, 0xe0);
    const other = uart.in(2);
    uart.out(LCR, 0);
    uart.out(MCR, mcr);
    if (((other ^ mcr) & 0x10) !== 0) return { type: 'none', why: 'banks' };
  }
  const wide = [0, 0x80].map((lcr) => {
    uart.out(LCR, lcr);
    uart.out(FCR, 0x21);
    const bits = uart.in(IIR) >> 5;
    uart.out(FCR, 0x01);
    return bits;
  });
  uart.out(LCR, 0);
  if (wide[0] === 6 && wide[1] === 7) return { type: '16750' };
  const ier = uart.in(IER);
  uart.out(IER, ier | 0x40);
  if ((uart.in(IER) & 0x40) !== 0) return { type: 'xscale' };
  uart.out(IER, ier);
  return { type: '16550A', fifoSize: sizeFifo(uart) };
}

/** size_fifo(): the port sends to itself, more than it can hold. */
function sizeFifo(uart: Registers): number {
  const [lcr, mcr] = [uart.in(LCR), uart.in(MCR)];
  uart.out(LCR, 0);
  uart.out(FCR, 0x07);
  uart.out(MCR, 0x10);
  uart.out(LCR, 0x80);
  const divisor = [uart.in(0), uart.in(1)];
  uart.out(0, 0x01);
  uart.out(1, 0x00);
  uart.out(LCR, 0x03);
  for (let byte = 0; byte < 256; byte++) uart.out(DATA, byte);
  let count = 0;
  while ((uart.in(LSR) & 0x01) !== 0 && count < 256 && uart.in(DATA) === count) count++;
  uart.out(FCR, 0x01);
  uart.out(MCR, mcr);
  uart.out(LCR, 0x80);
  uart.out(0, divisor[0] ?? 0);
  uart.out(1, divisor[1] ?? 0);
  uart.out(LCR, lcr);
  return count;
}

function clearFifos(uart: Registers): void {
  uart.out(FCR, 0x01);
  uart.out(FCR, 0x07);
  uart.out(FCR, 0);
}

/** What serial8250_do_startup() finds wrong with a port. */
export interface StartupBugs {
  /** LSR reads all ones: nothing is there. */
  readonly isAbsent: boolean;
  /** The transmit interrupt does not come back after IIR told of it (UART_BUG_THRE: a timer polls). */
  readonly needsTimer: boolean;
  /** Turning the transmit interrupt on raises none (UART_BUG_TXEN). */
  readonly needsKick: boolean;
}

/** serial8250_do_startup(), serial8250_do_set_termios() for 115200 8N1, and the raising of DTR and RTS at the open. */
export function startUp(uart: Registers): StartupBugs {
  clearFifos(uart);
  for (const register of [LSR, DATA, IIR, MSR]) uart.in(register);
  const isAbsent = uart.in(LSR) === 0xff;
  uart.in(LSR);
  uart.out(IER, 0x02);
  const first = uart.in(IIR);
  uart.out(IER, 0);
  uart.out(IER, 0x02);
  const second = uart.in(IIR);
  uart.out(IER, 0);
  const needsTimer = (first & 1) === 0 && (second & 1) !== 0;
  uart.out(LCR, 0x03);
  uart.out(MCR, 0x08);
  uart.out(IER, 0x02);
  const lsr = uart.in(LSR);
  const iir = uart.in(IIR);
  uart.out(IER, 0);
  const needsKick = (lsr & 0x40) !== 0 && (iir & 1) !== 0;
  for (const register of [LSR, DATA, IIR, MSR]) uart.in(register);
  uart.out(IER, 0x05);
  setDivisor(uart, 1);
  uart.out(FCR, 0x01);
  uart.out(FCR, 0x81);
  uart.out(MCR, 0x0b);
  return { isAbsent, needsTimer, needsKick };
}

export function setDivisor(uart: Registers, divisor: number): void {
  uart.out(LCR, 0x83);
  uart.out(0, divisor & 0xff);
  uart.out(1, divisor >> 8);
  uart.out(LCR, 0x03);
}

/** serial8250_console_write(): polled, with all interrupts off. */
export function consoleWrite(uart: Registers, text: Uint8Array): void {
  const ier = uart.in(IER);
  uart.out(IER, 0);
  for (let at = 0; at < text.length; at += 16) {
    while ((uart.in(LSR) & 0x20) === 0);
    for (const byte of text.subarray(at, at + 16)) uart.out(DATA, byte);
  }
  while ((uart.in(LSR) & 0x60) !== 0x60);
  uart.out(IER, ier);
}
