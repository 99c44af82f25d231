import { Channel } from '../../../src/hal/channel.js';
import { type LaneStarter, nativeImplementations } from '../../../src/hal/native/index.js';
import { Process } from '../../../src/hal/process.js';
import { checkProfiles } from '../../contract/profiles.js';
import { never, type Rig, refused, type Steps } from '../../contract/rig.js';
import { helperPath } from './child-process.js';
import { nativeTest } from './native-rig.js';

const { PATH } = process.env;
/** More than a channel takes in one message, by someone who does not know the rule: slot 0 is descriptor 3. */
const SHOUT = 'exec dd if=/dev/zero bs=65537 count=1 2>/dev/null >&3';

const lanes: Omit<LaneStarter, 'channels'> = {
  command: (lane, incarnation) => {
    if (lane === 'missing') return { file: '/no/such/program', args: [] };
    // In an environment of its own: a sanitizer that is preloaded for Node is not for it.
    if (lane === 'shouter') return { file: '/bin/sh', args: ['-c', SHOUT], env: { PATH } };
    return { file: process.execPath, args: [helperPath('lane-helper'), incarnation] };
  },
};
const check = checkProfiles(nativeTest, () => nativeImplementations({ lanes }));

const encode = (text: string) => new TextEncoder().encode(text);

function* heard(rig: Rig): Steps<string> {
  return new TextDecoder().decode((yield* rig.nextEvent(Channel, 'message')).data);
}

/** Starts the helper with a channel in slot 0, and waits until it has said who it is. */
function* startLane(rig: Rig, lane: string) {
  const channel = rig.hal(Channel);
  const { near, far } = channel.pair({ name: 'link' });
  channel.listen({ channel: near });
  const child = rig.hal(Process).spawn({ lane, give: [far] });
  return { child, near, far, name: yield* heard(rig) };
}

check('process: a lane adopts its channel, is named by incarnation, and exits', function* (t, rig) {
  const channel = rig.hal(Channel);
  const first = yield* startLane(rig, 'device');
  t.is(first.name, 'device');
  refused(t, 'CLOSED_HANDLE', () => channel.close({ channel: first.far }));
  channel.send({ channel: first.near, data: encode('exit'), attach: [] });
  t.deepEqual(yield* rig.nextEvent(Process, 'exited'), {
    process: first.child,
    code: 7,
    signal: '',
  });
  t.deepEqual(yield* rig.nextEvent(Channel, 'closed'), {
    channel: first.near,
    reason: 'hung-up',
  });
  const second = yield* startLane(rig, 'device');
  t.is(second.name, 'device#2');
  t.not(second.child, first.child);
});

check('process: kill, and what is said about it', function* (t, rig) {
  const processes = rig.hal(Process);
  const { child } = yield* startLane(rig, 'device');
  processes.kill({ process: child, signal: 'SIGKILL' });
  t.deepEqual(yield* rig.nextEvent(Process, 'exited'), {
    process: child,
    code: -1,
    signal: 'SIGKILL',
  });
  refused(t, 'CLOSED_HANDLE', () => processes.kill({ process: child, signal: 'SIGTERM' }));
  for (const other of [0, 99]) {
    refused(t, 'BAD_HANDLE', () => processes.kill({ process: other, signal: 'SIGTERM' }));
  }
  for (const other of [-1, 0.5]) {
    refused(t, 'INVALID_ARGUMENT', () => processes.kill({ process: other, signal: 'SIGTERM' }));
  }
});

check('process: signals that ask it to end are events', function* (t, rig) {
  const { child, near } = yield* startLane(rig, 'device');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    rig.hal(Channel).send({ channel: near, data: encode('await-signal'), attach: [] });
    t.is(yield* heard(rig), 'ready');
    rig.hal(Process).kill({ process: child, signal });
    t.is(yield* heard(rig), signal);
  }
  t.is(rig.pending(Process, 'exited'), 0);
});

check('process: spawn refuses, and keeps the channels', (t, rig) => {
  const processes = rig.hal(Process);
  const channel = rig.hal(Channel);
  const { near, far } = channel.pair({ name: 'link' });
  const error = refused(t, 'SYSCALL_FAILED', () =>
    processes.spawn({ lane: 'missing', give: [far] }),
  );
  t.is(error.syscall, 'execve');
  refused(t, 'BAD_HANDLE', () => processes.spawn({ lane: 'device', give: [999] }));
  refused(t, 'INVALID_ARGUMENT', () => processes.spawn({ lane: 'device', give: [never('1')] }));
  t.notThrows(() => channel.close({ channel: far }));
  refused(t, 'CLOSED_HANDLE', () => processes.spawn({ lane: 'device', give: [near, far] }));
  t.notThrows(() => channel.close({ channel: near }));
});

check('process: a message that is too long ends the channel with an error', function* (t, rig) {
  const channel = rig.hal(Channel);
  const { near, far } = channel.pair({ name: 'link' });
  channel.listen({ channel: near });
  const child = rig.hal(Process).spawn({ lane: 'shouter', give: [far] });
  t.deepEqual(yield* rig.nextEvent(Channel, 'closed'), { channel: near, reason: 'error' });
  t.is(rig.pending(Channel, 'message'), 0, 'no part of it is delivered');
  t.deepEqual(yield* rig.nextEvent(Process, 'exited'), { process: child, code: 0, signal: '' });
});
