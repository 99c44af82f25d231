import test from 'ava';
import fc from 'fast-check';
import { offeredFeatures } from '../../../../src/devices/balloon/features.js';
import {
  decodeRequest,
  encodeBackendRequest,
  encodeReply,
  numberReply,
} from '../../../../src/devices/virtio/vhost-user/codec.js';
import { VhostUserBackend } from '../../../../src/devices/virtio/vhost-user/frontend.js';
import type { Request } from '../../../../src/devices/virtio/vhost-user/messages.js';
import { PROTOCOL_FEATURES } from '../../../../src/devices/virtio/vhost-user/protocol.js';
import { simulatedChannel } from '../../../../src/hal/simulated/channel.js';
import { simulatedEventFd } from '../../../../src/hal/simulated/event-fd.js';
import { HandleSpace } from '../../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../../src/hal/simulated/memory.js';
import { mutated } from './arbitraries.js';

const FEATURES = offeredFeatures();

/** A front-end, and the test as the device. */
function setup({ configBytes = 8, deviceConfig = [{ offset: 0, size: 4 }] } = {}) {
  const handles = new HandleSpace();
  const mmap = simulatedMemory({ handles }).create({});
  const eventFd = simulatedEventFd({ handles }).create({ signalled: () => {} });
  const handlers = new Map<number, (payload: object) => void>();
  const asked: string[] = [];
  const requests: Request[] = [];
  const channel = simulatedChannel({ handles }).create({
    message: (payload) => {
      const handler = handlers.get(payload.channel);
      if (handler !== undefined) {
        handler(payload);
        return;
      }
      const decoded = decodeRequest(payload.data);
      asked.push(decoded.ok ? decoded.message.kind : decoded.refusal);
      if (decoded.ok) requests.push(decoded.message);
    },
    closed: () => {},
  });
  const transport = channel.pair({ name: 'transport' });
  const backend = channel.pair({ name: 'backend' });
  const broken: string[] = [];
  const configs: number[][] = [];
  let resets = 0;
  const region = mmap.createRegion({ name: 'ram', size: 1 << 20 });
  const status = mmap.createRegion({ name: 'status', size: 4096 });
  const clock = {
    now: () => 0,
    createTimer: () => -1,
    arm: () => {},
    disarm: () => {},
    closeTimer: () => {},
  };
  const frontend = new VhostUserBackend({
    hal: { mmap, eventFd, channel, clock },
    events: {
      nowNs: 0,
      on: (_contract, _name, key, handler) => {
        handlers.set(key ?? 0, handler as (payload: object) => void);
        return () => handlers.delete(key ?? 0);
      },
    },
    frontend: {
      usedBuffer: () => {},
      configChanged: (offset, bytes) => configs.push([...bytes, ...(offset > 0 ? [offset] : [])]),
      needsReset: () => {
        resets++;
      },
    },
    transport: transport.near,
    backend: backend.near,
    ram: [{ address: 0, size: 1 << 20, region, offset: 0 }],
    statusPage: { region: status, size: 4096, hasRegisters: false },
    interrupt: eventFd.create({ name: 'irq' }),
    kicks: [0, 1, 2].map((queue) => eventFd.create({ name: `kick-${queue}` })),
    features: FEATURES,
    config: () => new Uint8Array(configBytes),
    deviceConfig,
    onReset: () => {},
    onBroken: (reason) => broken.push(reason),
  });
  channel.listen({ channel: transport.far });
  frontend.start();
  const say = (data: Uint8Array, attach: number[] = []) =>
    channel.send({ channel: transport.far, data, attach });
  const sayUnasked = (data: Uint8Array) => channel.send({ channel: backend.far, data, attach: [] });
  const greet = () => {
    say(encodeReply('get-features', numberReply((FEATURES.low | (2 ** 30)) >>> 0, FEATURES.high)));
    say(encodeReply('get-protocol-features', numberReply(PROTOCOL_FEATURES.low)));
    for (const kind of [
      'set-owner',
      'set-backend-req-fd',
      'set-mem-table',
      'set-config',
    ] as const) {
      say(encodeReply(kind, numberReply(0)));
    }
  };
  return {
    frontend,
    asked,
    requests,
    broken,
    configs,
    say,
    sayUnasked,
    greet,
    region,
    resets: () => resets,
  };
}

const QUEUE = { index: 0, size: 8, descriptors: 0x1000, avail: 0x2000, used: 0x3000, nextAvail: 0 };
const ACTIVATION = { features: FEATURES, queues: [QUEUE], config: new Uint8Array(8) };

test('an activation before the greeting is over waits for it', (t) => {
  const { frontend, asked, greet } = setup();
  t.is(frontend.activate(ACTIVATION), undefined);
  t.deepEqual(asked, ['get-features', 'get-protocol-features']);
  greet();
  t.is(asked.at(-1), 'set-status');
  t.is(asked.filter((kind) => kind === 'set-vring-enable').length, 1);
});

test('a queue that cannot be said to the device is refused at once', (t) => {
  const { frontend, greet } = setup();
  greet();
  const activate = (queue: Partial<typeof QUEUE>) =>
    frontend.activate({ ...ACTIVATION, queues: [{ ...QUEUE, ...queue }] });
  t.deepEqual(activate({ used: 1 << 20 }), { reason: 'outside-ram', queue: 0 });
  t.deepEqual(activate({ descriptors: 2 ** 63 }), { reason: 'outside-ram', queue: 0 });
  t.deepEqual(activate({ used: 0x3002 }), { reason: 'misaligned', queue: 0 });
});

test('a refused activation asks the driver for a reset; one that is over does not', (t) => {
  const host = setup();
  host.greet();
  host.frontend.activate(ACTIVATION);
  const pending = host.asked.slice(7);
  const answer = (kinds: readonly string[], last: number) => {
    kinds.forEach((kind, position) => {
      const isLast = position === kinds.length - 1;
      host.say(encodeReply(kind as never, numberReply(isLast ? last : 0)));
    });
  };
  answer(pending, 1);
  t.is(host.resets(), 1);
  t.deepEqual(host.broken, []);
  const before = host.asked.length;
  host.frontend.activate(ACTIVATION);
  const second = host.asked.slice(before);
  host.frontend.reset();
  answer(second, 1);
  t.is(host.resets(), 1);
});

test('however often the device says that its config changed, one question is under way', (t) => {
  const host = setup();
  host.greet();
  const before = host.asked.length;
  for (let time = 0; time < 50; time++) host.sayUnasked(encodeBackendRequest('config-change'));
  t.deepEqual(host.asked.slice(before), ['get-config']);
  const reply = { kind: 'config', offset: 0, bytes: Uint8Array.of(1, 0, 0, 0) } as const;
  host.say(encodeReply('get-config', reply));
  t.deepEqual(host.configs, [[1, 0, 0, 0]]);
  t.deepEqual(host.asked.slice(before), ['get-config', 'get-config']);
});

test('a device with several fields is asked for each; the driver is spoken for in the others only', (t) => {
  const deviceConfig = [
    { offset: 0, size: 4 },
    { offset: 8, size: 4 },
  ];
  const host = setup({ configBytes: 16, deviceConfig });
  host.greet();
  const before = host.requests.length;
  host.sayUnasked(encodeBackendRequest('config-change'));
  host.sayUnasked(encodeBackendRequest('config-change'));
  const questions = deviceConfig.map((field) => ({ kind: 'get-config', ...field }));
  t.deepEqual(host.requests.slice(before) as unknown[], questions);
  const answer = (offset: number, value: number) =>
    host.say(
      encodeReply('get-config', { kind: 'config', offset, bytes: Uint8Array.of(value, 0, 0, 0) }),
    );
  answer(0, 1);
  answer(8, 2);
  t.deepEqual(host.configs, [
    [1, 0, 0, 0],
    [2, 0, 0, 0, 8],
  ]);
  t.is(host.requests.length, before + 4, 'asked again, once');
  answer(0, 1);
  answer(8, 2);
  host.frontend.activate({ ...ACTIVATION, config: Uint8Array.from({ length: 16 }, (_, n) => n) });
  const written = host.requests.slice(before + 4).flatMap((request) => {
    return request.kind === 'set-config' ? [[request.offset, ...request.bytes]] : [];
  });
  t.deepEqual(written, [
    [4, 4, 5, 6, 7],
    [12, 12, 13, 14, 15],
  ]);
  t.deepEqual(host.broken, []);
});

test('a device that breaks the protocol is given up, with a reason, once', (t) => {
  const cases: readonly [string, (host: ReturnType<typeof setup>) => void][] = [
    ['does not offer', ({ say }) => say(encodeReply('get-features', numberReply(0)))],
    ['malformed', ({ say }) => say(encodeReply('get-status', numberReply(0)))],
    [
      'nothing asked for',
      ({ greet, say }) => {
        greet();
        say(encodeReply('set-status', numberReply(0)));
      },
    ],
    [
      'nothing asked for',
      ({ say, region }) => say(encodeReply('get-features', numberReply(0)), [region]),
    ],
    ['malformed request', ({ sayUnasked }) => sayUnasked(Uint8Array.of(1))],
  ];
  for (const [reason, act] of cases) {
    const host = setup();
    act(host);
    t.is(host.broken.length, 1, reason);
    t.true(host.broken[0]?.includes(reason), host.broken[0]);
    host.say(Uint8Array.of(1));
    t.is(host.broken.length, 1);
  }
});

test('whatever a device sends, the front-end lives', (t) => {
  let broken = 0;
  fc.assert(
    fc.property(
      fc.array(mutated, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (list, greets) => {
        const host = setup();
        if (greets) host.greet();
        for (const data of list) {
          if (data.length === 0) continue;
          host.say(data);
          host.sayUnasked(data);
        }
        broken += host.broken.length;
        t.true(host.broken.length <= 1);
      },
    ),
    { numRuns: 300 },
  );
  t.true(broken > 200, `${broken}`);
});
