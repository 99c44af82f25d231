// A lane in a process of its own: says who it is over the channel in slot 0, then does as it is told.
import { Channel } from '../../../src/hal/channel.js';
import { Process } from '../../../src/hal/process.js';
import { makeNativeRig } from './native-implementations.js';

const [incarnation = ''] = process.argv.slice(2);
const rig = makeNativeRig({ lanes: { command: () => ({ file: 'none', args: [] }) } });
const channels = rig.hal(Channel);
const channel = channels.adopt({ slot: 0, name: 'link' });
const say = (text: string) =>
  channels.send({ channel, data: new TextEncoder().encode(text), attach: [] });

channels.listen({ channel });
say(incarnation);
for (;;) {
  const order = new TextDecoder().decode((await rig.nextEvent(Channel, 'message')).data);
  if (order === 'exit') process.exit(7);
  if (order === 'await-signal') {
    say('ready');
    say((await rig.nextEvent(Process, 'interrupted')).signal);
  }
}
