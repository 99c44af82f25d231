/** What a serial port has done since it was made. Counts. */
export interface SerialMetrics {
  /** Accesses that are none of a 16550's: not one byte wide, or beside its registers. */
  badReads: number;
  badWrites: number;
  /** Bytes from the guest to the console. */
  sentBytes: number;
  /** Bytes from the console, those included that found no room. */
  inputBytes: number;
  droppedInputBytes: number;
  interrupts: number;
}

export function newSerialMetrics(): SerialMetrics {
  return {
    badReads: 0,
    badWrites: 0,
    sentBytes: 0,
    inputBytes: 0,
    droppedInputBytes: 0,
    interrupts: 0,
  };
}
