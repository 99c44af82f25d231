import type { HalOf } from '../../../hal/contract/define.js';
import { HalError } from '../../../hal/contract/errors.js';
import { EventFd } from '../../../hal/event-fd.js';
import type { EventSource } from '../../../reactor/reactor.js';
import type { DoorbellKind, Request } from './messages.js';

/** What a device knows of one ring before and while it is served. */
export class Vring {
  size = 0;
  /** User addresses. */
  descriptors = 0;
  used = 0;
  avail = 0;
  hasAddresses = false;
  /** Where to go on in the avail ring. */
  base = 0;
  enabled = false;
  /** Handles of adopted eventfds. */
  readonly doorbells: Partial<Record<DoorbellKind, number>> = {};
  readonly #eventFd: HalOf<typeof EventFd>;
  #unsubscribe: (() => void) | undefined;

  constructor(eventFd: HalOf<typeof EventFd>) {
    this.#eventFd = eventFd;
  }

  /** Has `onKick` called for each kick. */
  start(events: Pick<EventSource, 'on'>, onKick: () => void): void {
    const eventfd = this.doorbells['set-vring-kick'];
    if (eventfd === undefined) return;
    this.#unsubscribe = events.on(EventFd, 'signalled', eventfd, onKick);
    this.#eventFd.watch({ eventfd, on: true });
  }

  /** No kick reaches the device any more, so it does not touch the ring. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#drop('set-vring-kick');
  }

  /** Stops it and lets go of its doorbells. */
  close(): void {
    this.stop();
    this.#drop('set-vring-call');
    this.#drop('set-vring-err');
  }

  /** @returns false if what is attached is not the one eventfd that was announced. */
  setDoorbell(
    { kind, attached: isAttached }: Extract<Request, { readonly kind: DoorbellKind }>,
    attached: readonly number[],
  ): boolean {
    const [attachment] = attached;
    if (attached.length !== (isAttached ? 1 : 0)) return false;
    let adopted: number | undefined;
    if (attachment !== undefined) {
      try {
        adopted = this.#eventFd.adopt({ attachment });
      } catch (error) {
        if (!HalError.is(error)) throw error;
        return false;
      }
    }
    this.#drop(kind);
    if (adopted !== undefined) this.doorbells[kind] = adopted;
    return true;
  }

  #drop(kind: DoorbellKind): void {
    const eventfd = this.doorbells[kind];
    if (eventfd === undefined) return;
    delete this.doorbells[kind];
    this.#eventFd.close({ eventfd });
  }
}
