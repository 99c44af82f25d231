import { EventFd } from '../../src/hal/event-fd.js';
import { Mmap } from '../../src/hal/mmap.js';
import { NO_WHOLE_NUMBERS, never, refused, type Suite } from './rig.js';

export const eventFdSuite: Suite = (check) => {
  check('event-fd: signals before and after watching are counted', function* (t, rig) {
    const eventFd = rig.hal(EventFd);
    const eventfd = eventFd.create({ name: 'kick' });
    eventFd.signal({ eventfd });
    eventFd.signal({ eventfd });
    eventFd.watch({ eventfd, on: true });
    t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), { eventfd, count: 2 });
    eventFd.signal({ eventfd });
    t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), { eventfd, count: 1 });
  });

  check('event-fd: nothing comes from one that is not watched or closed', function* (t, rig) {
    const eventFd = rig.hal(EventFd);
    const [quiet, closed, watched] = ['a', 'b', 'c'].map((name) => eventFd.create({ name }));
    for (const eventfd of [quiet, closed, watched] as number[]) {
      eventFd.watch({ eventfd, on: true });
      eventFd.signal({ eventfd });
    }
    eventFd.watch({ eventfd: quiet as number, on: false });
    eventFd.close({ eventfd: closed as number });
    t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), {
      eventfd: watched as number,
      count: 1,
    });
    t.is(rig.pending(EventFd, 'signalled'), 0);
  });

  check('event-fd: watching twice, and ending what was not begun, is allowed', function* (t, rig) {
    const eventFd = rig.hal(EventFd);
    const eventfd = eventFd.create({ name: 'a' });
    eventFd.watch({ eventfd, on: false });
    eventFd.watch({ eventfd, on: true });
    eventFd.watch({ eventfd, on: true });
    eventFd.signal({ eventfd });
    t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), { eventfd, count: 1 });
  });

  check('event-fd: refusals', (t, rig) => {
    const eventFd = rig.hal(EventFd);
    const eventfd = eventFd.create({ name: 'a' });
    eventFd.close({ eventfd });
    refused(t, 'CLOSED_HANDLE', () => eventFd.close({ eventfd }));
    refused(t, 'CLOSED_HANDLE', () => eventFd.signal({ eventfd }));
    refused(t, 'CLOSED_HANDLE', () => eventFd.watch({ eventfd, on: true }));
    const region = rig.hal(Mmap).createRegion({ name: 'r', size: 4096 });
    refused(t, 'BAD_HANDLE', () => eventFd.signal({ eventfd: region }));
    refused(t, 'BAD_HANDLE', () => eventFd.adopt({ attachment: region }));
    refused(t, 'BAD_HANDLE', () => eventFd.signal({ eventfd: 999 }));
    for (const value of NO_WHOLE_NUMBERS) {
      refused(t, 'INVALID_ARGUMENT', () => eventFd.signal({ eventfd: never(value) }));
    }
    const other = eventFd.create({ name: 'b' });
    refused(t, 'INVALID_ARGUMENT', () => eventFd.watch({ eventfd: other, on: never(1) }));
    refused(t, 'INVALID_ARGUMENT', () => eventFd.create({ name: never(undefined) }));
  });
};
