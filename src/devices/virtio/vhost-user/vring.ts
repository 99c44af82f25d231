import type { DoorbellKind } from './messages.js';

/** What a device knows of one ring before and while it is served. */
export interface Vring {
  size: number;
  /** User addresses. */
  descriptors: number;
  used: number;
  avail: number;
  hasAddresses: boolean;
  base: number;
  enabled: boolean;
  /** Handles of adopted eventfds. */
  readonly doorbells: Partial<Record<DoorbellKind, number>>;
  /** Ends the subscription to its kicks. */
  unwatch: (() => void) | undefined;
}

export function newVring(): Vring {
  return {
    size: 0,
    descriptors: 0,
    used: 0,
    avail: 0,
    hasAddresses: false,
    base: 0,
    enabled: false,
    doorbells: {},
    unwatch: undefined,
  };
}
