import type { HalContract, HalEvents } from '../hal/contract/define.js';
import type { Nanoseconds } from '../hal/contract/units.js';

/** What a policy's host needs of the reactor. Handlers are synchronous and run inside the event's turn. */
export interface EventSource {
  /** Time of the turn under way. */
  readonly nowNs: Nanoseconds;
  /**
   * Calls `handler` with each event of that name; with a key, only with those for that handle. Returns what ends the
   * subscription.
   */
  on<C extends HalContract, E extends keyof HalEvents<C> & string>(
    contract: C,
    name: E,
    key: number | undefined,
    handler: (payload: HalEvents<C>[E]) => void,
  ): () => void;
}
