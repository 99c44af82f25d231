import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { BYTES_PER_MIB } from '../src/hal/contract/units.js';

/** What the figures were measured on, and how busy it was. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly node: string;
  readonly kernel: string;
  /** Load average of the last minute, before the first figure. */
  readonly load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / BYTES_PER_MIB),
    node: process.version,
    kernel: `${process.platform} ${release()}`,
    load: loadavg()[0] ?? Number.NaN,
  };
}
