import { list } from './contract/arrays.js';
import { handle, i32, oneOf, text } from './contract/codec.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';

const child = handle('process');
const signal = oneOf('SIGTERM', 'SIGKILL', 'SIGINT');

/** Child processes, and the signals that ask this one to end. */
export const Process = defineHal('process', {
  /**
   * Starts another lane of the running program in a process of its own. `give` are this side's handles of channels; the
   * child adopts them by their position (`Channel.adopt`), and this side closes its copy.
   */
  spawn: call({ lane: text, give: list(handle('channel')) }, { returns: child, syscalls: 'node' }),
  kill: call({ process: child, signal }, { syscalls: [syscall('kill', { 1: (a) => a.signal })] }),
  /** A child ended. `code` is its exit code, or -1 if a signal ended it. */
  exited: event({ process: child, code: i32, signal: text }, { key: 'process', syscalls: 'node' }),
  /** Someone asked this process to end (Ctrl-C). */
  interrupted: event({ signal }, { syscalls: 'node' }),
});
export type Process = HalOf<typeof Process>;
