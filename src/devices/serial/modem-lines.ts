import {
  MCR_DTR,
  MCR_LOOP,
  MCR_OUT1,
  MCR_OUT2,
  MCR_RTS,
  MSR_CTS,
  MSR_DCD,
  MSR_DELTA_SHIFT,
  MSR_DSR,
  MSR_RI,
} from './constants.js';

/** A far end that is there and ready. */
const CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

/** The high nibble of MSR. In the loop the port sees its own outputs (PC16550D, "Modem Control Register", bit 4). */
export function modemLines(modemControl: number): number {
  if ((modemControl & MCR_LOOP) === 0) return CONNECTED;
  return (
    ((modemControl & MCR_RTS) !== 0 ? MSR_CTS : 0) |
    ((modemControl & MCR_DTR) !== 0 ? MSR_DSR : 0) |
    ((modemControl & MCR_OUT1) !== 0 ? MSR_RI : 0) |
    ((modemControl & MCR_OUT2) !== 0 ? MSR_DCD : 0)
  );
}

/** The change bits for lines that were `before` and are `after`. Of the ring only its end counts. */
export function modemChanges(before: number, after: number): number {
  const changed = (before ^ after) & ~(MSR_RI & after);
  return changed >> MSR_DELTA_SHIFT;
}
