import { Channel } from '../../src/hal/channel.js';
import { EventFd } from '../../src/hal/event-fd.js';
import { Mmap } from '../../src/hal/mmap.js';
import { type Check, never, refused, type Suite } from './rig.js';

const PAGE = 4096;
const MAX_MESSAGE_BYTES = 64 * 1024;

export const channelSuite: Suite = (check) => {
  messageTests(check);
  attachmentTests(check);
  refusalTests(check);
};

function messageTests(check: Check): void {
  check('channel: messages keep their order and boundaries, both ways', function* (t, rig) {
    const channel = rig.hal(Channel);
    const { near, far } = channel.pair({ name: 'link' });
    const sizes = [1, 8, MAX_MESSAGE_BYTES];
    for (const size of sizes) {
      channel.send({ channel: near, data: new Uint8Array(size).fill(size), attach: [] });
    }
    channel.send({ channel: far, data: new Uint8Array([9]), attach: [] });
    channel.listen({ channel: far });
    for (const size of sizes) {
      t.deepEqual(yield* rig.nextEvent(Channel, 'message'), {
        channel: far,
        data: new Uint8Array(size).fill(size),
        attached: [],
      });
    }
    channel.listen({ channel: near });
    t.is((yield* rig.nextEvent(Channel, 'message')).channel, near);
  });

  check('channel: what was sent before a hang-up still arrives, then closed', function* (t, rig) {
    const channel = rig.hal(Channel);
    const { near, far } = channel.pair({ name: 'link' });
    for (let number = 0; number < 40; number++) {
      channel.send({ channel: near, data: new Uint8Array([number]), attach: [] });
    }
    // Left unread at the other end: reading then begins with ECONNRESET.
    channel.send({ channel: far, data: new Uint8Array([1]), attach: [] });
    channel.close({ channel: near });
    channel.listen({ channel: far });
    for (let number = 0; number < 40; number++) {
      t.is((yield* rig.nextEvent(Channel, 'message')).data[0], number);
    }
    t.deepEqual(yield* rig.nextEvent(Channel, 'closed'), { channel: far, reason: 'hung-up' });
    const error = refused(t, 'SYSCALL_FAILED', () =>
      channel.send({ channel: far, data: new Uint8Array([1]), attach: [] }),
    );
    t.is(error.errno, 32);
    t.is(error.syscall, 'sendmsg');
    channel.listen({ channel: far });
    channel.close({ channel: far });
  });

  check('channel: a full one refuses with EAGAIN and does not wait', (t, rig) => {
    const channel = rig.hal(Channel);
    const { near } = channel.pair({ name: 'link' });
    const error = refused(t, 'SYSCALL_FAILED', () => {
      for (let round = 0; round < 10_000; round++) {
        channel.send({ channel: near, data: new Uint8Array(MAX_MESSAGE_BYTES), attach: [] });
      }
    });
    t.is(error.errno, 11);
  });
}

function attachmentTests(check: Check): void {
  check('channel: a region travels, and both sides see the same memory', function* (t, rig) {
    const [channel, mmap] = [rig.hal(Channel), rig.hal(Mmap)];
    const { near, far } = channel.pair({ name: 'link' });
    const region = mmap.createRegion({ name: 'guest', size: 4 * PAGE });
    channel.listen({ channel: far });
    channel.send({ channel: near, data: new Uint8Array([1]), attach: [region] });
    const { attached } = yield* rig.nextEvent(Channel, 'message');
    const [attachment] = attached as [number];
    t.is(attached.length, 1);
    refused(t, 'OUT_OF_BOUNDS', () => mmap.adoptRegion({ attachment, size: 5 * PAGE, offset: 0 }));
    refused(t, 'OUT_OF_BOUNDS', () =>
      mmap.adoptRegion({ attachment, size: PAGE, offset: 2 ** 52 }),
    );
    refused(t, 'INVALID_ARGUMENT', () => mmap.adoptRegion({ attachment, size: 0, offset: 0 }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.adoptRegion({ attachment, size: PAGE, offset: 1 }));
    refused(t, 'BAD_HANDLE', () => mmap.residency({ region: attachment }));
    const window = mmap.adoptRegion({ attachment, size: 2 * PAGE, offset: PAGE });
    refused(t, 'CLOSED_HANDLE', () => mmap.adoptRegion({ attachment, size: PAGE, offset: 0 }));
    mmap.storeReleaseU16({ region: window, offset: 0, value: 77 });
    t.is(mmap.loadAcquireU16({ region, offset: PAGE }), 77);
    mmap.discard({ region: window, ranges: new Float64Array([0, PAGE]) });
    t.is(mmap.loadAcquireU16({ region, offset: PAGE }), 0);
    mmap.closeRegion({ region });
    mmap.storeReleaseU16({ region: window, offset: 0, value: 78 });
    t.is(mmap.loadAcquireU16({ region: window, offset: 0 }), 78);
  });

  check('channel: an eventfd travels, and wakes across', function* (t, rig) {
    const [channel, eventFd] = [rig.hal(Channel), rig.hal(EventFd)];
    const { near, far } = channel.pair({ name: 'link' });
    const kick = eventFd.create({ name: 'kick' });
    channel.listen({ channel: far });
    channel.send({ channel: near, data: new Uint8Array([1]), attach: [kick, kick] });
    const [first, second] = (yield* rig.nextEvent(Channel, 'message')).attached as [number, number];
    t.not(first, second);
    const adopted = eventFd.adopt({ attachment: first });
    refused(t, 'CLOSED_HANDLE', () => eventFd.adopt({ attachment: first }));
    eventFd.watch({ eventfd: adopted, on: true });
    eventFd.signal({ eventfd: kick });
    t.deepEqual(yield* rig.nextEvent(EventFd, 'signalled'), { eventfd: adopted, count: 1 });
    // `second` is left to the clean-up. A doorbell is no memory.
    refused(t, 'INVALID_ARGUMENT', () =>
      rig.hal(Mmap).adoptRegion({ attachment: second, size: PAGE, offset: 0 }),
    );
  });
}

function refusalTests(check: Check): void {
  check('channel: refusals', (t, rig) => {
    const channel = rig.hal(Channel);
    const { near, far } = channel.pair({ name: 'link' });
    const data = new Uint8Array([1]);
    for (const length of [0, MAX_MESSAGE_BYTES + 1]) {
      refused(t, 'INVALID_ARGUMENT', () =>
        channel.send({ channel: near, data: new Uint8Array(length), attach: [] }),
      );
    }
    refused(t, 'BAD_HANDLE', () => channel.send({ channel: near, data, attach: [far] }));
    refused(t, 'BAD_HANDLE', () => channel.send({ channel: near, data, attach: [999] }));
    const region = rig.hal(Mmap).createRegion({ name: 'r', size: PAGE });
    rig.hal(Mmap).closeRegion({ region });
    refused(t, 'CLOSED_HANDLE', () => channel.send({ channel: near, data, attach: [region] }));
    for (const attach of [null, {}, [-1], [0.5], ['1'], new Array(65).fill(1)]) {
      refused(t, 'INVALID_ARGUMENT', () =>
        channel.send({ channel: near, data, attach: never(attach) }),
      );
    }
    channel.close({ channel: near });
    refused(t, 'CLOSED_HANDLE', () => channel.close({ channel: near }));
    refused(t, 'CLOSED_HANDLE', () => channel.listen({ channel: near }));
    refused(t, 'CLOSED_HANDLE', () => channel.send({ channel: near, data, attach: [] }));
    // No process was started with that many, and its own ends are not taken for inherited ones.
    for (const slot of [-1, 0.5, 2 ** 31, ...Array.from({ length: 64 }, (_, index) => index)]) {
      refused(t, 'INVALID_ARGUMENT', () => channel.adopt({ slot, name: 'x' }));
    }
  });
}
