import { Channel } from '../../../src/hal/channel.js';
import { nativeImplementations } from '../../../src/hal/native/index.js';
import { Process } from '../../../src/hal/process.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { architectureOf } from '../../../src/seccomp/architecture.js';
import { checkProfiles } from '../../contract/profiles.js';
import { type Rig, refused, type Steps } from '../../contract/rig.js';
import { helperPath } from './child-process.js';
import { jailTest } from './native-rig.js';

const check = checkProfiles(jailTest, () =>
  nativeImplementations({
    lanes: {
      command: (lane) => ({ file: process.execPath, args: [helperPath('jail-helper'), lane] }),
    },
  }),
);

const encode = (text: string) => new TextEncoder().encode(text);
const EACCES = 13;

function* heard(rig: Rig): Steps<{ text: string; attached: readonly number[] }> {
  const { data, attached } = yield* rig.nextEvent(Channel, 'message');
  return { text: new TextDecoder().decode(data), attached };
}

/** Starts the helper under the program of that name. */
function* startJailed(rig: Rig, program: string) {
  const channel = rig.hal(Channel);
  const { near, far } = channel.pair({ name: 'link' });
  channel.listen({ channel: near });
  const child = rig.hal(Process).spawn({ lane: program, give: [far] });
  const { text, attached } = yield* heard(rig);
  const tell = (order: string) => channel.send({ channel: near, data: encode(order), attach: [] });
  return { child, tell, said: text, attached };
}

function* startSupervised(rig: Rig) {
  const { attached, ...jailed } = yield* startJailed(rig, 'notify');
  const [listener = 0, activity = 0] = attached;
  return { ...jailed, attached, listener: rig.hal(Seccomp).supervise({ listener, activity }) };
}

const nameOf = ({ auditArch, number }: { auditArch: number; number: number }) => {
  const names = ['x86_64', 'aarch64', 'arm'].map(architectureOf);
  return names.find((each) => each.auditArch === auditArch)?.syscallNames.get(number);
};

check('supervise: a refused call is an event, and fails as it is answered', function* (t, rig) {
  const seccomp = rig.hal(Seccomp);
  const { child, tell, said, listener } = yield* startSupervised(rig);
  // Five instructions stand before the program, of two and one for each refused call; SHA-256 in hexadecimal.
  t.regex(said, /^1[01] 64$/);
  tell('entropy');
  const event = yield* rig.nextEvent(Seccomp, 'refused');
  t.is(event.listener, listener);
  t.is(nameOf(event), 'getrandom');
  t.is(event.args.length, 6);
  t.is(event.args[1], 8n, 'how many bytes it wanted');
  t.true(event.isMainThread);
  t.is(event.thread, 'node');
  t.is(event.during, 'entropy.fill');
  seccomp.answer({ refusal: event.refusal, verdict: 'fail', errno: EACCES });
  t.is((yield* heard(rig)).text, `${EACCES}`);
  refused(t, 'NOT_WAITING', () =>
    seccomp.answer({ refusal: event.refusal, verdict: 'fail', errno: EACCES }),
  );
  tell('entropy');
  const second = yield* rig.nextEvent(Seccomp, 'refused');
  t.not(second.refusal, event.refusal);
  for (const errno of [0, 4096]) {
    refused(t, 'INVALID_ARGUMENT', () =>
      seccomp.answer({ refusal: second.refusal, verdict: 'fail', errno }),
    );
  }
  seccomp.answer({ refusal: second.refusal, verdict: 'pass', errno: 0 });
  t.is((yield* heard(rig)).text, 'done');
  tell('exit');
  t.deepEqual(yield* rig.nextEvent(Process, 'exited'), { process: child, code: 0, signal: '' });
  seccomp.closeListener({ listener });
});

check('supervise: other threads are confined too, and are named', function* (t, rig) {
  const seccomp = rig.hal(Seccomp);
  const { child, tell, listener } = yield* startSupervised(rig);
  tell('mkdir');
  const event = yield* rig.nextEvent(Seccomp, 'refused');
  t.regex(nameOf(event) ?? '', /^mkdir(at)?$/);
  t.false(event.isMainThread);
  t.is(event.during, '', 'no call of the HAL is under way there');
  rig.hal(Process).kill({ process: child, signal: 'SIGKILL' });
  t.is((yield* rig.nextEvent(Process, 'exited')).signal, 'SIGKILL');
  // Nobody waits any more.
  t.notThrows(() => seccomp.answer({ refusal: event.refusal, verdict: 'fail', errno: EACCES }));
  seccomp.closeListener({ listener });
  refused(t, 'CLOSED_HANDLE', () => seccomp.closeListener({ listener }));
});

check('supervise: without a listener a refused call fails', function* (t, rig) {
  const { child, tell, listener } = yield* startSupervised(rig);
  rig.hal(Seccomp).closeListener({ listener });
  tell('entropy');
  // ENOSYS.
  t.is((yield* heard(rig)).text, '38');
  tell('exit');
  t.is((yield* rig.nextEvent(Process, 'exited')).process, child);
});

check('supervise: what is no listener, or no page, is refused', function* (t, rig) {
  const seccomp = rig.hal(Seccomp);
  const { child, attached } = yield* startJailed(rig, 'notify');
  const [listener = 0, activity = 0] = attached;
  refused(t, 'BAD_HANDLE', () => seccomp.supervise({ listener: 999, activity }));
  refused(t, 'INVALID_ARGUMENT', () => seccomp.supervise({ listener, activity: listener }));
  refused(t, 'INVALID_ARGUMENT', () =>
    seccomp.supervise({ listener: activity, activity: listener }),
  );
  const handle = seccomp.supervise({ listener, activity });
  refused(t, 'CLOSED_HANDLE', () => seccomp.supervise({ listener, activity }));
  refused(t, 'NOT_WAITING', () => seccomp.answer({ refusal: 7, verdict: 'fail', errno: 1 }));
  seccomp.closeListener({ listener: handle });
  rig.hal(Process).kill({ process: child, signal: 'SIGKILL' });
  yield* rig.nextEvent(Process, 'exited');
});

check('confine: a refused call ends the whole process', function* (t, rig) {
  for (const order of ['entropy', 'mkdir']) {
    const { child, tell, said } = yield* startJailed(rig, 'kill');
    t.regex(said, /^1[01] 64$/);
    tell(order);
    t.deepEqual(yield* rig.nextEvent(Process, 'exited'), {
      process: child,
      code: -1,
      signal: 'SIGSYS',
    });
  }
});

check('confine: a program that nobody gave is refused before anything is done', (t, rig) => {
  const seccomp = rig.hal(Seccomp);
  for (const call of [seccomp.confine, seccomp.confineAndNotify]) {
    const error = refused(t, 'INVALID_ARGUMENT', () => call({ program: 'no-such-program' }));
    t.true(error.message.includes('"no-such-program"'), error.message);
  }
});
