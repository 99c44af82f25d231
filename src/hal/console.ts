import { bytes } from './contract/arrays.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';

/** The guest's console, as the user sees it. */
export const Console = defineHal('console', {
  /** Shows what the guest wrote. */
  write: call({ data: bytes }),
  /** The user typed. */
  input: event({ data: bytes }),
});
export type Console = HalOf<typeof Console>;
