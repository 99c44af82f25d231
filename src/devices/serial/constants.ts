/**
 * Registers and bits of a 16550A: the PC16550D's data sheet (National Semiconductor, 8.0 "Registers") and, for their use
 * by Linux, include/uapi/linux/serial_reg.h and drivers/tty/serial/8250/8250_port.c.
 */

/** Registers, each a byte at its own offset. */
export const REGISTER_COUNT = 8;
/** Receiver buffer (read), transmitter holding register (write); low byte of the divisor under DLAB. */
export const DATA = 0;
/** Interrupt enable; high byte of the divisor under DLAB. */
export const IER = 1;
/** Interrupt identification (read), FIFO control (write). */
export const IIR_FCR = 2;
export const LCR = 3;
export const MCR = 4;
export const LSR = 5;
export const MSR = 6;
export const SCR = 7;

export const IER_RECEIVE = 0x01;
export const IER_TRANSMIT = 0x02;
export const IER_LINE_STATUS = 0x04;
export const IER_MODEM_STATUS = 0x08;
/** The rest of IER reads 0: Linux takes a chip with bit 6 for an XScale's. */
export const IER_MASK = 0x0f;

export const IIR_NONE = 0x01;
export const IIR_MODEM_STATUS = 0x00;
export const IIR_TRANSMIT = 0x02;
export const IIR_RECEIVE = 0x04;
export const IIR_LINE_STATUS = 0x06;
export const IIR_TIMEOUT = 0x0c;
/** Both bits: the FIFOs are there, enabled and work. By them Linux tells a 16550A. */
export const IIR_FIFOS = 0xc0;

export const FCR_ENABLE = 0x01;
export const FCR_CLEAR_RECEIVER = 0x02;
export const FCR_TRIGGER_SHIFT = 6;
/** What of FCR lasts. */
export const FCR_MASK = 0xc1;
/** Bytes in the receive FIFO that are an interrupt at once, by FCR bits 7:6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

export const LCR_DLAB = 0x80;

export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
/** On a PC it lets the interrupt through to the interrupt controller. */
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;
export const MCR_MASK = 0x1f;

export const LSR_DATA_READY = 0x01;
export const LSR_OVERRUN = 0x02;
/** The holding register is empty. */
export const LSR_THRE = 0x20;
/** So is the shift register. */
export const LSR_TEMT = 0x40;

export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;
/** The change bits are the low nibble: four below the line they tell of. */
export const MSR_DELTA_SHIFT = 4;
export const MSR_DELTA_MASK = 0x0f;

/** Depth of the chip's own receive FIFO. */
export const FIFO_DEPTH = 16;
