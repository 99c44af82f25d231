import test from 'ava';
import { AnswerDeadline } from '../../../../src/devices/virtio/vhost-user/answer-deadline.js';
import type { Clock } from '../../../../src/hal/clock.js';
import type { HalContract, HalEvents, HalOf } from '../../../../src/hal/contract/define.js';

const S = 1e9;

/** A deadline on a clock that this test turns. */
function deadline() {
  const armed: number[] = [];
  const events = {
    nowNs: 0,
    on: <C extends HalContract, E extends keyof HalEvents<C> & string>(
      _contract: C,
      _name: E,
      _key: number | undefined,
      handler: (payload: HalEvents<C>[E]) => void,
    ) => {
      expire = () => handler({ timer: 1, expirations: 1 } as unknown as HalEvents<C>[E]);
      return () => true;
    },
  };
  let expire = () => {};
  const clock = {
    createTimer: () => 1,
    arm: ({ first, period }: { first: number; period: number }) => {
      armed.push(first);
      if (first !== period) throw new Error('it is to expire again and again');
    },
    disarm: () => {},
    closeTimer: () => {},
  } as unknown as HalOf<typeof Clock>;
  const missed = { times: 0 };
  const made = new AnswerDeadline(clock, events, () => {
    missed.times++;
  });
  return { made, armed, events, missed, expire: () => expire() };
}

test('an answer may take as long as the first one did, and never less than 1.5 seconds', (t) => {
  for (const [firstNs, laterNs] of [
    [0.2 * S, 1.5 * S],
    [1.5 * S, 1.5 * S],
    [9 * S, 9 * S],
  ] as const) {
    const { made, armed, events } = deadline();
    events.nowNs = 5 * S;
    made.expect();
    events.nowNs += firstNs;
    made.heard();
    made.rest();
    events.nowNs += 60 * S;
    made.expect();
    made.heard();
    t.deepEqual(armed, [30 * S, laterNs, laterNs]);
  }
});

test('two silences in a row are one too many, and an answer between them makes up for one', (t) => {
  const { made, missed, expire } = deadline();
  made.expect();
  expire();
  made.heard();
  expire();
  t.is(missed.times, 0);
  expire();
  t.is(missed.times, 1);
});
