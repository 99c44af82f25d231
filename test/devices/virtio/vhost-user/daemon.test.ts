import test from 'ava';
import fc from 'fast-check';
import { BalloonDevice } from '../../../../src/devices/balloon/balloon-device.js';
import {
  type BalloonFeatureOptions,
  configBytes,
  offeredFeatures,
} from '../../../../src/devices/balloon/features.js';
import { queueCount } from '../../../../src/devices/balloon/queue-functions.js';
import type { VirtioFrontend } from '../../../../src/devices/virtio/backend.js';
import type { RamPart } from '../../../../src/devices/virtio/guest-memory.js';
import { decodeReply, encodeRequest } from '../../../../src/devices/virtio/vhost-user/codec.js';
import { VhostUserDaemon } from '../../../../src/devices/virtio/vhost-user/daemon.js';
import type { Request } from '../../../../src/devices/virtio/vhost-user/messages.js';
import {
  PROTOCOL_FEATURES,
  STATUS_PAGE_ADDRESS,
  USER_ADDRESS_OFFSET,
} from '../../../../src/devices/virtio/vhost-user/protocol.js';
import { simulatedChannel } from '../../../../src/hal/simulated/channel.js';
import { EventCounter, simulatedEventFd } from '../../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../../src/hal/simulated/memory.js';
import { SparseMemory } from '../../../../src/hal/simulated/sparse-memory.js';
import { DriverQueue } from '../../driver-model.js';
import { aRequest, mutated } from './arbitraries.js';

const RAM = 4 << 20;

function setup(options: BalloonFeatureOptions = {}) {
  const offered = offeredFeatures(options);
  const handles = new HandleSpace();
  const mmap = simulatedMemory({ handles }).create({});
  const kicks = new Map<number, () => void>();
  const eventFds = simulatedEventFd({ handles });
  const eventFd = eventFds.create({ signalled: ({ eventfd }) => kicks.get(eventfd)?.() });
  const replies: Uint8Array[] = [];
  const unasked: Uint8Array[] = [];
  const simulated = simulatedChannel({ handles });
  const ends: { transport: number; backend: number } = { transport: 0, backend: 0 };
  const channel = simulated.create({
    message: ({ channel: from, data }) => {
      (from === ends.transport ? replies : unasked).push(data);
    },
    closed: () => {},
  });
  const transport = channel.pair({ name: 'link' });
  const backend = channel.pair({ name: 'link' });
  ends.transport = transport.far;
  ends.backend = backend.far;
  channel.listen({ channel: transport.far });
  channel.listen({ channel: backend.far });
  let device: BalloonDevice | undefined;
  const daemon = new VhostUserDaemon({
    hal: { mmap, eventFd, channel },
    events: {
      on: (_contract, _name, key, handler) => {
        const call = handler as (payload: object) => void;
        kicks.set(key ?? 0, () => call({ eventfd: key, count: 1 }));
        return () => kicks.delete(key ?? 0);
      },
    },
    transport: transport.near,
    backend: backend.near,
    features: offered,
    queues: queueCount(offered),
    config: new Uint8Array(configBytes(offered)),
    makeDevice: (ram: readonly RamPart[], frontend: VirtioFrontend) => {
      device = new BalloonDevice({ mmap, ram, frontend, features: options });
      return device;
    },
    onReady: () => {},
  });
  const ask = (request: Request, attached: readonly number[] = [], needsReply = true) => {
    replies.length = 0;
    daemon.handle(encodeRequest(request, needsReply), attached);
    const [data] = replies;
    if (data === undefined) return undefined;
    const decoded = decodeReply(request.kind, !request.kind.startsWith('get-'), data);
    return decoded.ok ? decoded.message : decoded.refusal;
  };
  const memory = new SparseMemory(RAM, 4096);
  const status = new SparseMemory(4096, 4096);
  const kick = new EventCounter();
  const call = new EventCounter();
  const attach = (object: object) => handles.open('attachment', object);
  return {
    offered,
    daemon,
    ask,
    handles,
    attach,
    memory,
    status,
    kick,
    call,
    mmap,
    unasked,
    device: () => device,
  };
}

const ACK = { kind: 'number', features: { low: 0, high: 0 } };
const NACK = { kind: 'number', features: { low: 1, high: 0 } };
const TABLE = [
  { guestAddress: 0, size: RAM, userAddress: USER_ADDRESS_OFFSET, mmapOffset: 0 },
  {
    guestAddress: STATUS_PAGE_ADDRESS,
    size: 4096,
    userAddress: STATUS_PAGE_ADDRESS + USER_ADDRESS_OFFSET,
    mmapOffset: 0,
  },
];

type Host = ReturnType<typeof setup>;

function greet(host: Host): void {
  host.ask({ kind: 'set-protocol-features', features: PROTOCOL_FEATURES });
  host.ask({ kind: 'set-backend-req-fd' });
  const attached = [host.attach(host.memory), host.attach(host.status)];
  host.ask({ kind: 'set-mem-table', regions: TABLE }, attached);
  host.ask({ kind: 'set-features', features: host.offered });
}

function describeRings(host: Host, count = 2): DriverQueue[] {
  const region = host.handles.open('region', { memory: host.memory, start: 0, size: RAM });
  const rings = Array.from(
    { length: count },
    (_, n) => new DriverQueue(host.mmap, region, 0x80000 * (n + 1), 64),
  );
  rings.forEach(({ size, descriptors, avail, used }, index) => {
    const user = (address: number) => address + USER_ADDRESS_OFFSET;
    host.ask({ kind: 'set-vring-num', index, value: size });
    host.ask({ kind: 'set-vring-base', index, value: 0 });
    host.ask({
      kind: 'set-vring-addr',
      index,
      flags: 0,
      descriptors: user(descriptors),
      used: user(used),
      avail: user(avail),
    });
    host.ask({ kind: 'set-vring-kick', index, attached: true }, [host.attach(host.kick)]);
    host.ask({ kind: 'set-vring-enable', index, value: 1 });
  });
  host.ask({ kind: 'set-vring-call', index: 0, attached: true }, [host.attach(host.call)]);
  return rings;
}

test('a front-end by the book: rings are served, the status word and the doorbell tell of it', (t) => {
  const host = setup();
  greet(host);
  const inflate = describeRings(host)[0] as DriverQueue;
  t.deepEqual(host.ask({ kind: 'set-status', status: 0xf }), ACK);
  inflate.post({ address: 0x300000, length: 4 });
  host.kick.signal();
  t.is(inflate.usedIndex, 1);
  t.is(host.call.count, 1);
  t.is(host.status.readU32(0), 1);
  t.deepEqual(host.ask({ kind: 'get-vring-base', index: 0, value: 0 }), {
    kind: 'vring-state',
    index: 0,
    value: 1,
  });
  inflate.post({ address: 0x300000, length: 4 });
  host.kick.signal();
  t.is(inflate.usedIndex, 1, 'a ring that was stopped is left alone');
});

test('after SET_STATUS 0 no ring is touched, and everything may be set up anew', (t) => {
  const host = setup();
  greet(host);
  const inflate = describeRings(host)[0] as DriverQueue;
  host.ask({ kind: 'set-status', status: 0xf });
  t.deepEqual(host.ask({ kind: 'set-status', status: 0 }), ACK);
  t.deepEqual(host.ask({ kind: 'get-status' }), ACK);
  inflate.post({ address: 0x300000, length: 4 });
  host.kick.signal();
  t.is(inflate.usedIndex, 0);
  describeRings(host);
  t.deepEqual(host.ask({ kind: 'set-status', status: 0xf }), ACK);
});

test('refused with a negative acknowledgement, counted, and without effect', (t) => {
  const host = setup();
  const expectNack = (request: Request, reason: string, attached: readonly number[] = []) => {
    const before = host.daemon.refusals.get(reason as never) ?? 0;
    t.deepEqual(host.ask(request, attached), NACK, reason);
    t.is(host.daemon.refusals.get(reason as never), before + 1, reason);
  };
  host.ask({ kind: 'set-protocol-features', features: PROTOCOL_FEATURES });
  expectNack({ kind: 'set-status', status: 0xf }, 'no-memory');
  expectNack(
    { kind: 'set-config', offset: 0, purpose: 'restore', bytes: new Uint8Array(8) },
    'no-memory',
  );
  expectNack({ kind: 'set-mem-table', regions: TABLE }, 'bad-memory');
  expectNack({ kind: 'set-owner' }, 'bad-attachment', [host.attach(host.memory)]);
  greet(host);
  expectNack({ kind: 'set-status', status: 0xf }, 'not-activated');
  expectNack({ kind: 'set-vring-num', index: 3, value: 1 }, 'no-such-queue');
  expectNack({ kind: 'set-vring-kick', index: 0, attached: true }, 'bad-attachment', [
    host.attach(host.memory),
  ]);
  expectNack({ kind: 'set-features', features: { low: 0x80, high: 1 } }, 'bad-features');
  expectNack(
    { kind: 'set-config', offset: 6, purpose: 'driver', bytes: new Uint8Array(4) },
    'bad-config',
  );
  host.ask({ kind: 'set-vring-enable', index: 0, value: 1 });
  expectNack({ kind: 'set-status', status: 0xf }, 'ring-incomplete');
  describeRings(host);
  host.ask({ kind: 'set-status', status: 0xf });
  expectNack({ kind: 'set-vring-num', index: 0, value: 1 }, 'busy');
  t.deepEqual(host.ask({ kind: 'get-config', offset: 4, size: 8 }), {
    kind: 'config',
    offset: 0,
    bytes: new Uint8Array(0),
  });
});

test('the status page is no RAM: a ring in it is refused', (t) => {
  const host = setup();
  greet(host);
  t.is(host.device()?.remainingBytes, RAM);
  describeRings(host);
  const at = STATUS_PAGE_ADDRESS + USER_ADDRESS_OFFSET;
  const place = { descriptors: at, used: at + 2048, avail: at + 1024 };
  host.ask({ kind: 'set-vring-addr', index: 0, flags: 0, ...place });
  t.deepEqual(host.ask({ kind: 'set-status', status: 0xf }), NACK);
});

test('a target changes the config space and says so on the backend channel, once', (t) => {
  const host = setup();
  greet(host);
  host.device()?.setTargetBytes(1 << 20);
  host.device()?.setTargetBytes(1 << 20);
  t.is(host.unasked.length, 1);
  t.deepEqual(host.ask({ kind: 'get-config', offset: 0, size: 4 }), {
    kind: 'config',
    offset: 0,
    bytes: Uint8Array.of(0, 1, 0, 0),
  });
});

test('hints and reports are served as in one process; the command and the poison value are config space', (t) => {
  const host = setup({ freePageHinting: true, freePageReporting: true });
  greet(host);
  const rings = describeRings(host, 5);
  const [hinting, reporting] = [rings[3], rings[4]] as [DriverQueue, DriverQueue];
  const poison = { kind: 'set-config', offset: 12, purpose: 'driver' } as const;
  t.deepEqual(host.ask({ ...poison, bytes: Uint8Array.of(0xaa, 0xaa, 0xaa, 0xaa) }), ACK);
  t.deepEqual(host.ask({ kind: 'set-status', status: 0xf }), ACK);
  const device = host.device();
  t.is(device?.startHinting(), 2);
  t.is(host.unasked.length, 1);
  t.deepEqual(host.ask({ kind: 'get-config', offset: 8, size: 4 }), {
    kind: 'config',
    offset: 8,
    bytes: Uint8Array.of(2, 0, 0, 0),
  });
  reporting.post({ address: 0x300000, length: 0x2000, writable: true });
  device?.kick(4);
  t.is(device?.metrics.reportedPages, 2);
  t.is(device?.metrics.poisonedPagesKept, 2, 'the poison value had come before DRIVER_OK');
  const region = host.handles.open('region', { memory: host.memory, start: 0, size: RAM });
  host.mmap.writeU32Array({ region, offset: 0x3f0000, data: Uint32Array.of(2) });
  hinting.post({ address: 0x3f0000, length: 4 });
  device?.kick(3);
  t.is(device?.hintingState, 'started');
  t.deepEqual(host.ask({ kind: 'set-status', status: 0 }), ACK);
  t.is(device?.hintingState, 'idle');
  t.deepEqual([...host.daemon.config.slice(8, 12)], [0, 0, 0, 0], 'B11');
});

test('whatever comes, the daemon answers or counts, and lives', (t) => {
  let refused = 0;
  const messages = fc.array(
    fc.tuple(
      fc.oneof(
        mutated,
        aRequest.map((request) => encodeRequest(request, true)),
      ),
      fc.array(fc.nat(12), { maxLength: 3 }),
    ),
    { minLength: 20, maxLength: 60 },
  );
  fc.assert(
    fc.property(messages, (list) => {
      const host = setup();
      greet(host);
      describeRings(host);
      host.ask({ kind: 'set-status', status: 0xf });
      for (const [data, attached] of list) {
        host.daemon.handle(data, attached);
        host.kick.signal();
      }
      for (const count of host.daemon.refusals.values()) refused += count;
      host.daemon.handle(encodeRequest({ kind: 'set-status', status: 0 }, true), []);
      t.false(host.daemon.isActive);
    }),
    { numRuns: 150 },
  );
  t.true(refused > 1000, `${refused}`);
});
