import { HalError } from '../contract/errors.js';

interface Slot {
  readonly kind: string;
  /** Undefined once the handle is closed: its number stays known, so that later use is named for what it is. */
  object: unknown;
}

/**
 * Hands out the small numbers that name simulated things. One space is shared by the contracts of a simulated machine,
 * so that a number means one thing only and is never given out again.
 */
export class HandleSpace {
  readonly #slots: Slot[] = [];

  open(kind: string, object: object): number {
    this.#slots.push({ kind, object });
    return this.#slots.length;
  }

  /** What the handle names or named; undefined if it was never given out. */
  kindOf(handle: number): string | undefined {
    return this.#slots[handle - 1]?.kind;
  }

  /** @throws HalError BAD_HANDLE, CLOSED_HANDLE */
  find<T>(kind: string, handle: number): T {
    const slot = this.#slots[handle - 1];
    if (slot === undefined || slot.kind !== kind) {
      const found = slot === undefined ? 'was never given out' : `names a ${slot.kind}`;
      throw new HalError('BAD_HANDLE', `${kind} ${handle} ${found}; pass the handle of a ${kind}`);
    }
    if (slot.object === undefined) {
      throw new HalError(
        'CLOSED_HANDLE',
        `${kind} ${handle} was closed before; do not use it again`,
      );
    }
    return slot.object as T;
  }

  /** @throws HalError BAD_HANDLE, CLOSED_HANDLE */
  close(kind: string, handle: number): void {
    this.find(kind, handle);
    const slot = this.#slots[handle - 1];
    if (slot !== undefined) slot.object = undefined;
  }
}
