import { setFlagsFromString } from 'node:v8';

/** Eight times V8's own, in bytes of bytecode that a function has run. */
const INTERRUPT_BUDGET = 540_000;

/**
 * Lets V8 wait longer before it optimises a function. A VM's requests come by the hundred: what V8 spends on the device's code
 * after 200 kB of bytecode has not paid when an inflation is over, and takes processor time from the guest. Code that runs on
 * and on is optimised all the same, some milliseconds later. Not before the code cache is read, which V8 refuses under other
 * flags; later versions than that of Node 20 have a compiler in between, and decide otherwise. Not for a device's process
 * either, whose jail allows no compiled code.
 */
export function optimiseRarely(): void {
  if (process.versions.v8.startsWith('11.')) {
    setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  }
}
