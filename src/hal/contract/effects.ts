/**
 * What a call does to order. In `effects` matching, everything between two fences is compared as a whole, so that a
 * device may coalesce its discards or batch its reads and old recordings still hold.
 *
 * A call without an effect is a **fence**: it matches exactly, and nothing moves across it.
 */
export type Effect<A> =
  | { readonly kind: 'acquire' }
  | ReadEffect<A>
  | WriteEffect<A>
  | ReleaseEffect<A>;

/** A plain read of shared bytes: served from what was recorded in the same interval. */
export interface ReadEffect<A> {
  readonly kind: 'read';
  /** Which address space: a region's handle. */
  readonly space: (args: A) => number;
  readonly start: (args: A) => number;
  /** The bytes read: a view of the buffer that the call filled. */
  readonly toBytes: (args: A) => Uint8Array;
  /** How many bytes are wanted. */
  readonly length: (args: A) => number;
  /** Fills the buffer. */
  readonly serve: (args: A, bytes: Uint8Array) => void;
}

/** A plain write of shared bytes: the last value of each byte before the next fence counts. */
export interface WriteEffect<A> {
  readonly kind: 'write';
  readonly space: (args: A) => number;
  readonly start: (args: A) => number;
  readonly toBytes: (args: A) => Uint8Array;
}

/** Gives up byte ranges: their union before the next fence counts. They read as zero afterwards. */
export interface ReleaseEffect<A> {
  readonly kind: 'release';
  readonly space: (args: A) => number;
  /** Pairs [start, length, …]. */
  readonly ranges: (args: A) => Float64Array;
}

export const acquire = { kind: 'acquire' } as const;
