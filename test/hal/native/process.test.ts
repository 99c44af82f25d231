import { Channel } from '../../../src/hal/channel.js';
import type { LaneStarter } from '../../../src/hal/native/process.js';
import { Process } from '../../../src/hal/process.js';
import { never, type Rig, refused, rigTests } from '../../contract/rig.js';
import { helperPath } from './child-process.js';
import { makeNativeRig, nativeTest } from './native-rig.js';

const lanes: Omit<LaneStarter, 'channels'> = {
  command: (lane, incarnation) => ({
    file: lane === 'missing' ? '/no/such/program' : process.execPath,
    args: [helperPath('lane-helper'), incarnation],
  }),
};
const check = rigTests(nativeTest, () => makeNativeRig({ lanes }));

const encode = (text: string) => new TextEncoder().encode(text);

async function heard(rig: Rig): Promise<string> {
  return new TextDecoder().decode((await rig.nextEvent(Channel, 'message')).data);
}

/** Starts the helper with a channel in slot 0, and waits until it has said who it is. */
async function startLane(rig: Rig, lane: string) {
  const channel = rig.hal(Channel);
  const { near, far } = channel.pair({ name: 'link' });
  channel.listen({ channel: near });
  const child = rig.hal(Process).spawn({ lane, give: [far] });
  return { child, near, far, name: await heard(rig) };
}

check('process: a lane adopts its channel, is named by incarnation, and exits', async (t, rig) => {
  const channel = rig.hal(Channel);
  const first = await startLane(rig, 'device');
  t.is(first.name, 'device');
  refused(t, 'CLOSED_HANDLE', () => channel.close({ channel: first.far }));
  channel.send({ channel: first.near, data: encode('exit'), attach: [] });
  t.deepEqual(await rig.nextEvent(Process, 'exited'), {
    process: first.child,
    code: 7,
    signal: '',
  });
  t.deepEqual(await rig.nextEvent(Channel, 'closed'), {
    channel: first.near,
    reason: 'hung-up',
  });
  const second = await startLane(rig, 'device');
  t.is(second.name, 'device#2');
  t.not(second.child, first.child);
});

check('process: kill, and what is said about it', async (t, rig) => {
  const processes = rig.hal(Process);
  const { child } = await startLane(rig, 'device');
  processes.kill({ process: child, signal: 'SIGKILL' });
  t.deepEqual(await rig.nextEvent(Process, 'exited'), {
    process: child,
    code: -1,
    signal: 'SIGKILL',
  });
  refused(t, 'CLOSED_HANDLE', () => processes.kill({ process: child, signal: 'SIGTERM' }));
  for (const other of [0, 99, -1, 0.5]) {
    refused(t, 'BAD_HANDLE', () => processes.kill({ process: other, signal: 'SIGTERM' }));
  }
});

check('process: signals that ask it to end are events', async (t, rig) => {
  const { child, near } = await startLane(rig, 'device');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    rig.hal(Channel).send({ channel: near, data: encode('await-signal'), attach: [] });
    t.is(await heard(rig), 'ready');
    rig.hal(Process).kill({ process: child, signal });
    t.is(await heard(rig), signal);
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
