import { Clock } from '../../src/hal/clock.js';
import { NO_WHOLE_NUMBERS, never, refused, type Suite } from './rig.js';

const SOON_NS = 1_000_000;
const LATER_NS = 3_600_000_000_000;

export const clockSuite: Suite = (check) => {
  check('clock: time is whole nanoseconds and never goes back', (t, rig) => {
    const clock = rig.hal(Clock);
    let last = clock.now();
    for (let round = 0; round < 1000; round++) {
      const now = clock.now();
      t.true(Number.isSafeInteger(now) && now >= last);
      last = now;
    }
  });

  check('clock: a timer expires once, not before its time', function* (t, rig) {
    const clock = rig.hal(Clock);
    const timer = clock.createTimer({ name: 'once' });
    const start = clock.now();
    clock.arm({ timer, first: SOON_NS, period: 0 });
    t.deepEqual(yield* rig.nextEvent(Clock, 'expired'), { timer, count: 1 });
    t.true(clock.now() - start >= SOON_NS);
    clock.arm({ timer, first: 1, period: 0 });
    t.deepEqual(yield* rig.nextEvent(Clock, 'expired'), { timer, count: 1 });
    t.is(rig.pending(Clock, 'expired'), 0);
  });

  check('clock: a periodic timer goes on until it is disarmed', function* (t, rig) {
    const clock = rig.hal(Clock);
    const timer = clock.createTimer({ name: 'ticks' });
    clock.arm({ timer, first: SOON_NS, period: SOON_NS });
    for (let tick = 0; tick < 3; tick++) {
      const { count } = yield* rig.nextEvent(Clock, 'expired');
      t.true(count >= 1);
    }
    clock.disarm({ timer });
    while (rig.pending(Clock, 'expired') > 0) yield* rig.nextEvent(Clock, 'expired');
    const last = clock.createTimer({ name: 'last' });
    clock.arm({ timer: last, first: 3 * SOON_NS, period: 0 });
    t.is((yield* rig.nextEvent(Clock, 'expired')).timer, last);
  });

  check('clock: disarming and closing drop an expiry that is already due', function* (t, rig) {
    const clock = rig.hal(Clock);
    const names = ['disarmed', 'closed', 'again', 'due'];
    const timers = names.map((name) => clock.createTimer({ name })) as [
      number,
      number,
      number,
      number,
    ];
    const [disarmed, closed, again, due] = timers;
    for (const timer of timers) clock.arm({ timer, first: 1, period: 0 });
    const until = clock.now() + SOON_NS;
    while (clock.now() < until);
    clock.disarm({ timer: disarmed });
    clock.closeTimer({ timer: closed });
    clock.arm({ timer: again, first: LATER_NS, period: 0 });
    t.deepEqual(yield* rig.nextEvent(Clock, 'expired'), { timer: due, count: 1 });
    t.is(rig.pending(Clock, 'expired'), 0);
  });

  check('clock: refusals', (t, rig) => {
    const clock = rig.hal(Clock);
    const timer = clock.createTimer({ name: 'a' });
    refused(t, 'INVALID_ARGUMENT', () => clock.arm({ timer, first: 0, period: 0 }));
    for (const value of NO_WHOLE_NUMBERS) {
      refused(t, 'INVALID_ARGUMENT', () => clock.arm({ timer, first: never(value), period: 0 }));
      refused(t, 'INVALID_ARGUMENT', () => clock.arm({ timer, first: 1, period: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () => clock.disarm({ timer: never(value) }));
    }
    clock.closeTimer({ timer });
    refused(t, 'CLOSED_HANDLE', () => clock.closeTimer({ timer }));
    refused(t, 'CLOSED_HANDLE', () => clock.arm({ timer, first: 1, period: 0 }));
    refused(t, 'CLOSED_HANDLE', () => clock.disarm({ timer }));
    refused(t, 'BAD_HANDLE', () => clock.disarm({ timer: 999 }));
  });
};
