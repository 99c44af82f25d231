import { bytes } from './contract/arrays.js';
import { bool } from './contract/codec.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';

/** The guest's console, as the user sees it. */
export const Console = defineHal('console', {
  /** Shows what the guest wrote. */
  write: call({ data: bytes }, { syscalls: 'node' }),
  /** The user typed. Only while the program listens. */
  input: event({ data: bytes }, { syscalls: 'node' }),
  /**
   * Starts or ends `input` events; at first there are none. What is typed meanwhile waits where it comes from. What was
   * read before the end still comes.
   */
  listen: call({ on: bool }, { syscalls: 'node' }),
});
export type Console = HalOf<typeof Console>;
