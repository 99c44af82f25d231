import {
  FCR_ENABLE,
  FCR_MASK,
  IER_MASK,
  MCR_LOOP,
  MCR_MASK,
  MCR_RTS,
  MSR_DELTA_MASK,
} from './constants.js';

/** The registers that keep what is written to them, and what the interrupts depend on. Plain data. */
export interface UartRegisters {
  readonly interruptEnable: number;
  /** The bits that last: FIFOs enabled, trigger level. */
  readonly fifoControl: number;
  readonly lineControl: number;
  readonly modemControl: number;
  readonly scratch: number;
  /** 16 bits. Kept and not used: this line has no speed. */
  readonly divisor: number;
  readonly hasOverrun: boolean;
  /** The low nibble of MSR. */
  readonly modemChanges: number;
  /** The holding register became empty, and IIR has not told the guest yet. */
  readonly isTransmitPending: boolean;
}

/** After power-on (PC16550D, table III). The divisor, which is left open there, is that of 9600 baud at 1.8432 MHz. */
export const RESET_REGISTERS: UartRegisters = {
  interruptEnable: 0,
  fifoControl: 0,
  lineControl: 0,
  modemControl: 0,
  scratch: 0,
  divisor: 12,
  hasOverrun: false,
  modemChanges: 0,
  isTransmitPending: false,
};

const MASKS = {
  interruptEnable: IER_MASK,
  fifoControl: FCR_MASK,
  lineControl: 0xff,
  modemControl: MCR_MASK,
  scratch: 0xff,
  divisor: 0xffff,
  modemChanges: MSR_DELTA_MASK,
} as const;

/** The first register that has bits which it cannot have, with its value; undefined if all can be. */
export function impossibleRegister(registers: UartRegisters): string | undefined {
  const names = Object.keys(MASKS) as (keyof typeof MASKS)[];
  const name = names.find((each) => (registers[each] & MASKS[each]) !== registers[each]);
  return name === undefined ? undefined : `${name} ${registers[name]}`;
}

export function hasFifos({ fifoControl }: UartRegisters): boolean {
  return (fifoControl & FCR_ENABLE) !== 0;
}

/** Whether the far end may send: the guest asks for it (RTS), and the loop does not cut the line off. */
export function isListening({ modemControl }: UartRegisters): boolean {
  return (modemControl & (MCR_RTS | MCR_LOOP)) === MCR_RTS;
}
