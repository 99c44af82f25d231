import type { HalOf } from '../contract/define.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { EventFd } from '../event-fd.js';
import { HandleSpace } from './handles.js';

/** The kind of handle under which a simulated channel attaches an eventfd. */
export const ATTACHED_EVENTFD = 'attachment';

interface Counter {
  count: number;
  watched: boolean;
}

/** The `EventFd` contract, and what a simulated machine needs to stand at its other end. */
export interface SimulatedEventFd extends Implementation<typeof EventFd> {
  /** Takes what was signalled since the last time, as reading the eventfd does. 0 if nothing was. */
  take(eventfd: number): number;
}

/**
 * Doorbells without a kernel. A watched eventfd emits `signalled` at once; the reactor queues it. What is signalled
 * while nobody watches is kept until `take` or `watch`.
 */
export function simulatedEventFd(
  options: { readonly handles?: HandleSpace } = {},
): SimulatedEventFd {
  const handles = options.handles ?? new HandleSpace();
  const find = (eventfd: number): Counter => handles.find<Counter>('eventfd', eventfd);
  const take = (eventfd: number): number => {
    const counter = find(eventfd);
    const count = counter.count;
    counter.count = 0;
    return count;
  };
  const create = (emit: Emitter<typeof EventFd>): HalOf<typeof EventFd> => {
    const deliver = (eventfd: number): void => {
      const counter = find(eventfd);
      if (counter.watched && counter.count > 0) emit.signalled({ eventfd, count: take(eventfd) });
    };
    return {
      create: () => handles.open('eventfd', { count: 0, watched: false } satisfies Counter),
      adopt: ({ attachment }) =>
        handles.open('eventfd', handles.find<Counter>(ATTACHED_EVENTFD, attachment)),
      signal: ({ eventfd }) => {
        find(eventfd).count++;
        deliver(eventfd);
      },
      watch: ({ eventfd, on }) => {
        find(eventfd).watched = on;
        deliver(eventfd);
      },
      close: ({ eventfd }) => handles.close('eventfd', eventfd),
    };
  };
  return { ...implement(EventFd, create), take };
}
