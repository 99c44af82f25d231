import type { Bytes, GuestAddress } from '../../../hal/contract/units.js';
import type { FeatureSet } from '../features.js';

/** One entry of the memory table; its descriptor travels as the attachment of the same position. */
export interface MemRegion {
  readonly guestAddress: GuestAddress;
  readonly size: Bytes;
  /** `USER_ADDRESS_OFFSET` says what it means here. */
  readonly userAddress: number;
  /** Where the region starts in the attached memory. */
  readonly mmapOffset: Bytes;
}

export type DoorbellKind = 'set-vring-kick' | 'set-vring-call' | 'set-vring-err';

/** What a front-end asks of a device. */
export type Request =
  | {
      readonly kind:
        | 'get-features'
        | 'set-owner'
        | 'get-protocol-features'
        | 'set-backend-req-fd'
        | 'get-status';
    }
  | { readonly kind: 'set-features' | 'set-protocol-features'; readonly features: FeatureSet }
  | { readonly kind: 'set-mem-table'; readonly regions: readonly MemRegion[] }
  | {
      readonly kind: 'set-vring-num' | 'set-vring-base' | 'get-vring-base' | 'set-vring-enable';
      readonly index: number;
      readonly value: number;
    }
  | {
      readonly kind: 'set-vring-addr';
      readonly index: number;
      readonly flags: number;
      readonly descriptors: number;
      readonly used: number;
      readonly avail: number;
    }
  /** `attached` says whether an eventfd comes with it. */
  | { readonly kind: DoorbellKind; readonly index: number; readonly attached: boolean }
  | { readonly kind: 'get-config'; readonly offset: number; readonly size: Bytes }
  | {
      readonly kind: 'set-config';
      readonly offset: number;
      /** `restore` also sets fields that a driver cannot write (the specification's live migration type). */
      readonly purpose: 'driver' | 'restore';
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'set-status'; readonly status: number };

/** What a device answers. `ack` is 0 for success. */
export type Reply =
  | { readonly kind: 'number'; readonly features: FeatureSet }
  | { readonly kind: 'vring-state'; readonly index: number; readonly value: number }
  /** No bytes: the request was refused. */
  | { readonly kind: 'config'; readonly offset: number; readonly bytes: Uint8Array };

/** Why a message is refused. Stable: counters and tests use them. */
export type WireRefusal =
  | 'short-header'
  | 'bad-version'
  | 'bad-size'
  | 'unknown-request'
  | 'not-a-request'
  | 'not-a-reply'
  | 'other-reply'
  | 'bad-payload';

export type Decoded<T> =
  | { readonly ok: true; readonly message: T; readonly needsReply: boolean }
  /** `code` is the request's number, if the header could be read that far. */
  | {
      readonly ok: false;
      readonly refusal: WireRefusal;
      readonly code: number | undefined;
      readonly needsReply: boolean;
    };
