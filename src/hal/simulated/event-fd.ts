import type { HalOf } from '../contract/define.js';
import { HalError } from '../contract/errors.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { EventFd } from '../event-fd.js';
import { HandleSpace } from './handles.js';
import { AT_ONCE, type Post } from './task-queue.js';

/** The kind of handle under which a simulated channel attaches an `EventCounter`. */
export const ATTACHED_EVENTFD = 'attachment';

/** An eventfd, which several processes may hold. Whoever watches it first is woken. */
export class EventCounter {
  count = 0;
  readonly watchers = new Set<() => void>();

  signal(): void {
    this.count++;
    this.wake();
  }

  wake(): void {
    const [first] = this.watchers;
    if (this.count > 0) first?.();
  }

  /** Reads it: gives the count and clears it. */
  take(): number {
    const { count } = this;
    this.count = 0;
    return count;
  }
}

interface Holder {
  readonly counter: EventCounter;
  watcher: (() => void) | undefined;
}

/** The `EventFd` contract, and what a simulated machine needs to stand at its other end. */
export interface SimulatedEventFd extends Implementation<typeof EventFd> {
  /** Takes what was signalled since the last time, as reading the eventfd does. 0 if nothing was. */
  take(eventfd: number): number;
  /** Signals it as hardware does: outside any turn. */
  ring(eventfd: number): void;
}

/**
 * Doorbells without a kernel. A watched eventfd emits `signalled` as soon as `post` lets it; what is signalled while
 * nobody watches is kept until `take` or `watch`.
 */
export function simulatedEventFd(
  options: { readonly handles?: HandleSpace; readonly post?: Post } = {},
): SimulatedEventFd {
  const handles = options.handles ?? new HandleSpace();
  const post = options.post ?? AT_ONCE;
  const watching = new Set<Holder>();
  const find = (eventfd: number): Holder => handles.find<Holder>('eventfd', eventfd);
  const open = (counter: EventCounter): number =>
    handles.open('eventfd', { counter, watcher: undefined } satisfies Holder);
  const unwatch = (holder: Holder): void => {
    if (holder.watcher !== undefined) holder.counter.watchers.delete(holder.watcher);
    holder.watcher = undefined;
    watching.delete(holder);
  };
  const create = (emit: Emitter<typeof EventFd>): HalOf<typeof EventFd> => ({
    create: () => open(new EventCounter()),
    adopt: ({ attachment }) => {
      const counter = handles.find<unknown>(ATTACHED_EVENTFD, attachment);
      if (counter instanceof EventCounter) return open(counter);
      throw new HalError('INVALID_ARGUMENT', `attachment ${attachment} is no eventfd`);
    },
    signal: ({ eventfd }) => find(eventfd).counter.signal(),
    watch: ({ eventfd, on }) => {
      const holder = find(eventfd);
      unwatch(holder);
      if (!on) return;
      const { counter } = holder;
      const watcher = () =>
        post(() => {
          const isWatched = holder.watcher === watcher;
          if (isWatched && counter.count > 0) emit.signalled({ eventfd, count: counter.take() });
        });
      holder.watcher = watcher;
      watching.add(holder);
      counter.watchers.add(watcher);
      counter.wake();
    },
    close: ({ eventfd }) => {
      unwatch(find(eventfd));
      handles.close('eventfd', eventfd);
    },
  });
  const dispose = () => watching.forEach(unwatch);
  return {
    ...implement(EventFd, create, { dispose }),
    take: (eventfd) => find(eventfd).counter.take(),
    ring: (eventfd) => find(eventfd).counter.signal(),
  };
}
