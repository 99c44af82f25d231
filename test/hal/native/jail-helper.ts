// A lane that jails itself and sends its supervisor what that needs, over the channel in slot 0. Then it does as it is told,
// and says how it ended. Its argument is the program that it jails itself with.
import { mkdir } from 'node:fs/promises';
import { Channel } from '../../../src/hal/channel.js';
import { Entropy } from '../../../src/hal/entropy.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { filterFor, KILL_PROCESS, USER_NOTIFY } from './filters.js';
import { makeNativeRig } from './native-implementations.js';

const REFUSED = ['getrandom', 'mkdir', 'mkdirat'];
const PROGRAMS = new Map([
  ['notify', filterFor(REFUSED, USER_NOTIFY)],
  ['kill', filterFor(REFUSED, KILL_PROCESS)],
]);
const [name = ''] = process.argv.slice(2);
const rig = makeNativeRig({ filterPrograms: (program) => PROGRAMS.get(program) });
const channels = rig.hal(Channel);
const channel = channels.adopt({ slot: 0, name: 'link' });
const say = (text: string, attach: number[] = []) =>
  channels.send({ channel, data: new TextEncoder().encode(text), attach });

/** Each of them is refused. */
const ORDERS: Readonly<Record<string, () => unknown>> = {
  // On the thread that makes HAL calls, in one of them.
  entropy: () => rig.hal(Entropy).fill({ into: new Uint8Array(8) }),
  // On a thread of libuv's.
  mkdir: () => mkdir('no/such/folder/anywhere'),
};

async function outcomeOf(order: string): Promise<string> {
  try {
    await ORDERS[order]?.();
    return 'done';
  } catch (error) {
    return String((error as { errno?: number }).errno);
  }
}

if (name === 'kill') {
  const { instructions, sha256 } = rig.hal(Seccomp).confine({ program: name });
  say(`${instructions} ${sha256.length}`);
} else {
  const { instructions, sha256, listener, activity } = rig
    .hal(Seccomp)
    .confineAndNotify({ program: name });
  say(`${instructions} ${sha256.length}`, [listener, activity]);
}
channels.listen({ channel });
for (;;) {
  const order = new TextDecoder().decode((await rig.nextEvent(Channel, 'message')).data);
  if (order === 'exit') process.exit(0);
  say(await outcomeOf(order));
}
