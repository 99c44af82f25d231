import test from 'ava';
import { EventCounter, simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';

function setup() {
  const events: { eventfd: number; count: number }[] = [];
  const handles = new HandleSpace();
  const simulated = simulatedEventFd({ handles });
  const eventFd = simulated.create({
    signalled: (payload) => {
      events.push(payload);
    },
  });
  return { simulated, eventFd, events, handles };
}

test('signals are kept until somebody watches, then delivered with their number', (t) => {
  const { eventFd, events } = setup();
  const eventfd = eventFd.create({ name: 'kick' });
  eventFd.signal({ eventfd });
  eventFd.signal({ eventfd });
  t.deepEqual(events, []);
  eventFd.watch({ eventfd, on: true });
  t.deepEqual(events, [{ eventfd, count: 2 }]);
  eventFd.signal({ eventfd });
  t.deepEqual(events.slice(1), [{ eventfd, count: 1 }]);
  eventFd.watch({ eventfd, on: false });
  eventFd.signal({ eventfd });
  t.is(events.length, 2);
});

test('take reads the counter and clears it', (t) => {
  const { simulated, eventFd } = setup();
  const eventfd = eventFd.create({ name: 'irq' });
  t.is(simulated.take(eventfd), 0);
  eventFd.signal({ eventfd });
  eventFd.signal({ eventfd });
  t.is(simulated.take(eventfd), 2);
  t.is(simulated.take(eventfd), 0);
});

test('an adopted eventfd is the same counter under another handle', (t) => {
  const { simulated, eventFd, handles } = setup();
  const counter = new EventCounter();
  const attachment = handles.open('attachment', counter);
  const eventfd = eventFd.adopt({ attachment });
  eventFd.signal({ eventfd });
  t.is(counter.count, 1);
  t.is(simulated.take(eventfd), 1);
});

test('handles are checked', (t) => {
  const { simulated, eventFd } = setup();
  const eventfd = eventFd.create({ name: 'kick' });
  eventFd.close({ eventfd });
  t.throws(() => eventFd.signal({ eventfd }), { code: 'CLOSED_HANDLE' });
  t.throws(() => eventFd.close({ eventfd }), { code: 'CLOSED_HANDLE' });
  t.throws(() => eventFd.signal({ eventfd: 99 }), { code: 'BAD_HANDLE' });
  t.throws(() => eventFd.adopt({ attachment: 99 }), { code: 'BAD_HANDLE' });
  t.throws(() => simulated.take(99), { code: 'BAD_HANDLE' });
});
