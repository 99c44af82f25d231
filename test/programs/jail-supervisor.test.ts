import test from 'ava';
import type { Channel } from '../../src/hal/channel.js';
import type { HalContract, HalEvents, HalOf } from '../../src/hal/contract/define.js';
import { HalError, UnsupportedError } from '../../src/hal/contract/errors.js';
import type { Seccomp } from '../../src/hal/seccomp.js';
import { enterJail, JailSupervisor } from '../../src/programs/device-jail.js';

const CHANNEL = 4;

/** A supervisor whose process is this test. */
function setup(choice: 'user-notify' | 'kill-process' | 'log') {
  const handlers = new Map<string, (payload: object) => void>();
  const answers: object[] = [];
  const supervisor = new JailSupervisor({
    hal: {
      channel: { listen: () => {} } as unknown as HalOf<typeof Channel>,
      seccomp: {
        supervise: () => 9,
        closeListener: () => {},
        answer: (given: object) => answers.push(given),
      } as unknown as HalOf<typeof Seccomp>,
    },
    events: {
      on: <C extends HalContract, E extends keyof HalEvents<C> & string>(
        _contract: C,
        name: E,
        key: number | undefined,
        handler: (payload: HalEvents<C>[E]) => void,
      ) => {
        handlers.set(`${name} ${key}`, handler as (payload: object) => void);
        return () => handlers.delete(`${name} ${key}`);
      },
    },
    channel: CHANNEL,
    choice,
    onRefused: () => {},
    onBroken: () => {},
  });
  const send = (byte: number, attached: readonly number[] = []) =>
    handlers.get(`message ${CHANNEL}`)?.({ data: Uint8Array.of(byte), attached });
  const close = () => handlers.get(`closed ${CHANNEL}`)?.({});
  const refuse = () => handlers.get('refused 9')?.({ refusal: 3 });
  return { supervisor, send, close, refuse, answers };
}

test('a process that ended is waited for: what it said last may be that it has no jail', (t) => {
  const { supervisor, send } = setup('user-notify');
  let told = 0;
  supervisor.onceTold(() => told++);
  t.is(told, 0);
  t.throws(() => send(0), { instanceOf: UnsupportedError });
  t.is(told, 0, 'it is not started again');
});

test('a process that ended and said nothing is done with when its channel is closed', (t) => {
  const { supervisor, close } = setup('user-notify');
  let told = 0;
  supervisor.onceTold(() => told++);
  close();
  t.is(told, 1);
  supervisor.onceTold(() => told++);
  t.is(told, 2, 'and from then on at once');
});

test('what is refused fails, or passes if the jail only logs', (t) => {
  for (const [choice, answer] of [
    ['user-notify', { refusal: 3, verdict: 'fail', errno: 1 }],
    ['log', { refusal: 3, verdict: 'pass', errno: 0 }],
  ] as const) {
    const { supervisor, send, refuse, answers } = setup(choice);
    send(1, [5, 6]);
    refuse();
    t.deepEqual(answers, [answer]);
    let told = 0;
    supervisor.onceTold(() => told++);
    t.is(told, 1);
  }
});

test('a parent that went away while its child entered the jail is no failure of the child', (t) => {
  const sending = (errno: number) => ({
    channel: {
      send: () => {
        throw new HalError('SYSCALL_FAILED', 'send failed', { errno, syscall: 'sendmsg' });
      },
    } as unknown as HalOf<typeof Channel>,
    seccomp: {
      confineAndNotify: () => ({ listener: 5, activity: 6 }),
    } as unknown as HalOf<typeof Seccomp>,
  });
  t.notThrows(() => enterJail(sending(32), 'user-notify', CHANNEL));
  t.throws(() => enterJail(sending(11), 'user-notify', CHANNEL), { instanceOf: HalError });
});
