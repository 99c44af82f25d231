import type { HalContract, HalEvents, HalOf } from './define.js';

/** How a native side speaks: one function for each event of its contract. May be called at any time. */
export type Emitter<C> = {
  readonly [K in keyof HalEvents<C>]: (payload: HalEvents<C>[K]) => void;
};

/** One contract's side that does the work: native, simulated or faked. Written once for each. */
export interface Implementation<C> {
  readonly contract: C;
  /**
   * Makes the object that satisfies the contract. The addon validates its arguments itself; then `validates` is true
   * and the derived layers do not check a second time on the native profile.
   */
  readonly create: (emit: Emitter<C>) => HalOf<C>;
  readonly validates?: boolean;
  /** Ends threads and closes what is still open. Called once, after the last turn. */
  readonly dispose?: () => void;
}

export function implement<C extends HalContract>(
  contract: C,
  create: (emit: Emitter<C>) => HalOf<C>,
  options: { readonly validates?: boolean; readonly dispose?: () => void } = {},
): Implementation<C> {
  return { contract, create, ...options };
}
