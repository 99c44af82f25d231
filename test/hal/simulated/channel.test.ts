import test from 'ava';
import { type ChannelEnd, simulatedChannel } from '../../../src/hal/simulated/channel.js';
import { simulatedEventFd } from '../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { simulatedProcess } from '../../../src/hal/simulated/process.js';
import { TaskQueue } from '../../../src/hal/simulated/task-queue.js';

interface Received {
  readonly channel: number;
  readonly data: Uint8Array;
  readonly attached: readonly number[];
}

/** One simulated process. */
function makeProcess(given: readonly ChannelEnd[] = [], queue = new TaskQueue()) {
  const handles = new HandleSpace();
  const messages: Received[] = [];
  const closed: { channel: number; reason: string }[] = [];
  const signals: number[] = [];
  const simulated = simulatedChannel({ handles, given, post: queue.post });
  const channel = simulated.create({
    message: (message) => messages.push(message),
    closed: (event) => closed.push(event),
  });
  const eventFd = simulatedEventFd({ handles, post: queue.post }).create({
    signalled: ({ eventfd }) => signals.push(eventfd),
  });
  const mmap = simulatedMemory({ handles }).create({});
  return { handles, simulated, channel, eventFd, mmap, messages, closed, signals, queue };
}

test('messages keep their order and boundaries, and wait until somebody listens', (t) => {
  const { channel, messages, queue } = makeProcess();
  const { near, far } = channel.pair({ name: 'link' });
  const data = Uint8Array.of(1, 2);
  channel.send({ channel: near, data, attach: [] });
  data.fill(9);
  channel.send({ channel: near, data: Uint8Array.of(3), attach: [] });
  queue.run();
  t.is(messages.length, 0);
  channel.listen({ channel: far });
  t.is(messages.length, 0, 'delivery is an event of its own');
  queue.run();
  t.deepEqual(
    messages.map((message) => [...message.data]),
    [[1, 2], [3]],
  );
});

test('the other end hangs up: what it sent comes first, then closed, once; sending fails', (t) => {
  const { channel, messages, closed, queue } = makeProcess();
  const { near, far } = channel.pair({ name: 'link' });
  channel.listen({ channel: far });
  channel.send({ channel: near, data: Uint8Array.of(1), attach: [] });
  channel.close({ channel: near });
  queue.run();
  t.is(messages.length, 1);
  t.deepEqual(closed, [{ channel: far, reason: 'hung-up' }]);
  t.throws(() => channel.send({ channel: far, data: Uint8Array.of(1), attach: [] }), {
    code: 'SYSCALL_FAILED',
    message: /sendmsg/,
  });
});

test('memory and doorbells travel to another process and stay the same ones', (t) => {
  const queue = new TaskQueue();
  const parent = makeProcess([], queue);
  const { near, far } = parent.channel.pair({ name: 'link' });
  const child = makeProcess([parent.simulated.release(far)], queue);
  t.throws(() => parent.channel.close({ channel: far }), { code: 'CLOSED_HANDLE' });
  const region = parent.mmap.createRegion({ name: 'ram', size: 8192 });
  const bell = parent.eventFd.create({ name: 'kick' });
  const slot = child.channel.adopt({ slot: 0, name: 'link' });
  child.channel.listen({ channel: slot });
  parent.channel.send({ channel: near, data: Uint8Array.of(1), attach: [region, bell] });
  queue.run();
  const [memory = 0, doorbell = 0] = child.messages[0]?.attached ?? [];
  t.throws(() => child.eventFd.adopt({ attachment: memory }), { code: 'INVALID_ARGUMENT' });
  const wrong = { attachment: doorbell, size: 4096, offset: 0 };
  t.throws(() => child.mmap.adoptRegion(wrong), { code: 'INVALID_ARGUMENT' });
  const adopted = child.mmap.adoptRegion({ attachment: memory, size: 4096, offset: 4096 });
  child.mmap.write({ region: adopted, offset: 0, data: Uint8Array.of(42) });
  const into = new Uint8Array(1);
  parent.mmap.read({ region, offset: 4096, into });
  t.is(into[0], 42);
  const eventfd = child.eventFd.adopt({ attachment: doorbell });
  child.eventFd.watch({ eventfd, on: true });
  parent.eventFd.signal({ eventfd: bell });
  queue.run();
  t.deepEqual(child.signals, [eventfd]);
  t.deepEqual(parent.signals, []);
});

test('a process that ends hangs up everything it held', (t) => {
  const queue = new TaskQueue();
  const parent = makeProcess([], queue);
  const { near, far } = parent.channel.pair({ name: 'link' });
  const child = makeProcess([parent.simulated.release(far)], queue);
  parent.channel.listen({ channel: near });
  child.simulated.dispose?.();
  queue.run();
  t.deepEqual(parent.closed, [{ channel: near, reason: 'hung-up' }]);
});

test('refusals have the codes of the native side', (t) => {
  const { channel, mmap } = makeProcess();
  const { near } = channel.pair({ name: 'link' });
  const send =
    (data: Uint8Array, attach: number[] = []) =>
    () =>
      channel.send({ channel: near, data, attach });
  t.throws(send(new Uint8Array(0)), { code: 'INVALID_ARGUMENT' });
  t.throws(send(new Uint8Array(65_537)), { code: 'INVALID_ARGUMENT' });
  t.throws(send(Uint8Array.of(1), [999]), { code: 'BAD_HANDLE' });
  const region = mmap.createRegion({ name: 'gone', size: 4096 });
  mmap.closeRegion({ region });
  t.throws(send(Uint8Array.of(1), [region]), { code: 'CLOSED_HANDLE' });
  t.throws(() => channel.adopt({ slot: 0, name: 'link' }), { code: 'SYSCALL_FAILED' });
  for (let sent = 0; sent < 256; sent++) send(Uint8Array.of(1))();
  t.throws(send(Uint8Array.of(1)), { code: 'SYSCALL_FAILED', message: /full/ });
});

test('processes: incarnations are numbered, exits are events, an ended one cannot be killed', (t) => {
  const queue = new TaskQueue();
  const { handles, simulated, channel } = makeProcess([], queue);
  const started: string[] = [];
  const exits: object[] = [];
  const process = simulatedProcess({
    handles,
    post: queue.post,
    release: (handle) => simulated.release(handle),
    start: (incarnation, given, onExit) => {
      started.push(`${incarnation} with ${given.length}`);
      return { kill: (signal) => onExit({ code: -1, signal }) };
    },
  }).create({ exited: (exit) => exits.push(exit), interrupted: () => {} });
  const { far } = channel.pair({ name: 'link' });
  const first = process.spawn({ lane: 'device', give: [far] });
  process.spawn({ lane: 'device', give: [] });
  process.spawn({ lane: 'disk', give: [] });
  t.deepEqual(started, ['device with 1', 'device#2 with 0', 'disk with 0']);
  process.kill({ process: first, signal: 'SIGKILL' });
  t.deepEqual(exits, []);
  queue.run();
  t.deepEqual(exits, [{ process: first, code: -1, signal: 'SIGKILL' }]);
  t.throws(() => process.kill({ process: first, signal: 'SIGKILL' }), { code: 'CLOSED_HANDLE' });
});
