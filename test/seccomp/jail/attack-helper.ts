// What an attacker would do inside the device's process. It is started as that is, jailed under the shipped policy, and then
// does as it is told over the channel in slot 0. Its argument is the compiled policy, in base64.
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Channel } from '../../../src/hal/channel.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { DEVICE_POLICY, enterJail } from '../../../src/programs/device-jail.js';
import { makeNativeRig } from '../../hal/native/native-implementations.js';

/** Asked for in time: in the jail nobody tells. */
const parent = process.ppid;
const program = Buffer.from(process.argv[2] ?? '', 'base64');
const rig = makeNativeRig({
  filterPrograms: (name) => (name === DEVICE_POLICY ? program : undefined),
});
const channels = rig.hal(Channel);
const channel = channels.adopt({ slot: 0, name: 'link' });
enterJail({ channel: channels, seccomp: rig.hal(Seccomp) }, 'user-notify', channel);

const CRASHES: Readonly<Record<string, () => unknown>> = {
  throw: () => {
    throw new Error('a crash on purpose');
  },
  abort: () => process.abort(),
  'run-out-of-memory': () => {
    const hoard: number[][] = [];
    for (;;) hoard.push(new Array<number>(1 << 16).fill(hoard.length));
  },
};

const ORDERS: Readonly<Record<string, () => unknown>> = {
  'write-to-stderr': () => process.stderr.write('said on purpose\n'),
  'open-to-write': () => openSync('/dev/null', 'w'),
  'open-to-read': () => openSync('/etc/passwd', 'r'),
  'start-a-program': () => {
    const { error } = spawnSync('/bin/true');
    if (error !== undefined) throw error;
  },
  'signal-the-parent': () => process.kill(parent, 'SIGTERM'),
  'start-a-thread': () => new Worker('', { eval: true }),
};

async function outcomeOf(order: string): Promise<string> {
  try {
    const raw = /^raw (\d+)$/.exec(order)?.[1];
    await (raw === undefined ? ORDERS[order]?.() : getPriority(Number(raw)));
    return 'done';
  } catch (error) {
    const { info, code } = error as { info?: { code?: string }; code?: string };
    return info?.code ?? code ?? String(error);
  }
}

channels.listen({ channel });
for (;;) {
  const order = new TextDecoder().decode((await rig.nextEvent(Channel, 'message')).data);
  if (order === 'exit') process.exit(0);
  if (order in CRASHES) setImmediate(() => CRASHES[order]?.());
  const answer = await outcomeOf(order);
  channels.send({ channel, data: new TextEncoder().encode(answer), attach: [] });
}
