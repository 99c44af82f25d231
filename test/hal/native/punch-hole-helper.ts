// Refuses madvise(MADV_REMOVE) by a filter (numbers of x86_64), and gives memory back all the same: in a worker, whose
// environment then finds another primitive.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Channel } from '../../../src/hal/channel.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { makeNativeRig } from './native-implementations.js';

const MADVISE = 28;
const MADV_REMOVE = 9;
const PAGE = 4096;
const [LOAD_WORD, JUMP_IF_EQUAL, RETURN] = [0x20, 0x15, 0x06];
/** Where struct seccomp_data has the low half of the third argument. */
const ADVICE = 32;
const ALLOW = 0x7fff0000;
const ERRNO_EPERM = 0x00050001;

const instructions: readonly (readonly [number, number, number, number])[] = [
  [LOAD_WORD, 0, 0, 0],
  [JUMP_IF_EQUAL, 0, 3, MADVISE],
  [LOAD_WORD, 0, 0, ADVICE],
  [JUMP_IF_EQUAL, 0, 1, MADV_REMOVE],
  [RETURN, 0, 0, ERRNO_EPERM],
  [RETURN, 0, 0, ALLOW],
];

function filter(): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jumpTrue, jumpFalse, constant], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jumpTrue);
    view.setUint8(index * 8 + 3, jumpFalse);
    view.setUint32(index * 8 + 4, constant, true);
  });
  return new Uint8Array(view.buffer);
}

/** Discards through the region itself, and through a window on it that begins at its second page. */
async function giveBack(): Promise<unknown> {
  const rig = makeNativeRig();
  const [mmap, channel] = [rig.hal(Mmap), rig.hal(Channel)];
  const region = mmap.createRegion({ name: 'r', size: 8 * PAGE });
  mmap.write({ region, offset: 0, data: new Uint8Array(8 * PAGE).fill(7) });
  const { near, far } = channel.pair({ name: 'link' });
  channel.send({ channel: near, data: new Uint8Array([1]), attach: [region] });
  channel.listen({ channel: far });
  const [attachment = 0] = (await rig.nextEvent(Channel, 'message')).attached;
  const window = mmap.adoptRegion({ attachment, size: 4 * PAGE, offset: PAGE });
  const { primitive } = mmap.describe({ region });
  mmap.discard({ region, ranges: new Float64Array([6 * PAGE, 2 * PAGE]) });
  mmap.discard({ region: window, ranges: new Float64Array([PAGE, PAGE]) });
  // Before they are read: that would bring them back.
  const resident = mmap.residency({ region }) / PAGE;
  const all = new Uint8Array(8 * PAGE);
  mmap.read({ region, offset: 0, into: all });
  const kept = Array.from({ length: 8 }, (_, page) => all[page * PAGE]);
  rig.dispose();
  return { primitive, kept, resident };
}

if (isMainThread) {
  const rig = makeNativeRig();
  rig.hal(Seccomp).install({ program: filter() });
  rig.dispose();
  const worker = new Worker(new URL(import.meta.url));
  worker.once('message', (found) => process.stdout.write(JSON.stringify(found)));
} else {
  parentPort?.postMessage(await giveBack());
}
