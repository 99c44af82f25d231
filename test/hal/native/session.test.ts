import { HalError } from '../../../src/hal/contract/errors.js';
import { EventFd } from '../../../src/hal/event-fd.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { loadAddon } from '../../../src/hal/native/addon.js';
import { addonFunction } from '../../../src/hal/native/from-addon.js';
import { refused } from '../../contract/rig.js';
import { runHelper } from './child-process.js';
import { makeNativeRig, nativeTest, rigTests } from './native-rig.js';

const check = rigTests(nativeTest);

check('session: handles count from 1 in each, and one does not know the other', (t, rig) => {
  const other = makeNativeRig();
  const region = rig.hal(Mmap).createRegion({ name: 'a', size: 4096 });
  t.is(region, 1);
  t.is(other.hal(EventFd).create({ name: 'b' }), 1);
  refused(t, 'BAD_HANDLE', () => other.hal(Mmap).residency({ region }));
  other.dispose();
  other.dispose();
  refused(t, 'CLOSED_HANDLE', () => other.hal(EventFd).signal({ eventfd: 1 }));
  t.is(rig.hal(Mmap).residency({ region }), 0);
});

nativeTest('session: a listener may end the session whose event it hears', async (t) => {
  const session = loadAddon().open();
  const heard: unknown[] = [];
  await new Promise<void>((resolve) => {
    const end = (handle: unknown) => {
      heard.push(handle);
      session.close();
      setImmediate(() => setImmediate(resolve));
    };
    session.setListener('event-fd.signalled', end);
    session.setListener('channel.message', end);
    const { near, far } = addonFunction(session, 'channel', 'pair')('link') as {
      near: number;
      far: number;
    };
    addonFunction(session, 'channel', 'listen')(far);
    for (let round = 0; round < 3; round++) {
      addonFunction(session, 'channel', 'send')(near, new Uint8Array([round]), []);
      const bell = addonFunction(session, 'event-fd', 'create')('bell');
      addonFunction(session, 'event-fd', 'watch')(bell, true);
      addonFunction(session, 'event-fd', 'signal')(bell);
    }
  });
  t.is(heard.length, 1);
});

nativeTest('session: no argument whatever is more than a typed error', (t) => {
  const session = loadAddon().open();
  addonFunction(session, 'mmap', 'createRegion')('a', 8192);
  addonFunction(session, 'event-fd', 'create')('b');
  addonFunction(session, 'clock', 'createTimer')('c');
  addonFunction(session, 'channel', 'pair')('d');
  const garbage: readonly unknown[] = [
    0,
    1,
    2,
    3,
    4,
    5,
    4096,
    -0,
    -1,
    0.5,
    2 ** 32,
    2 ** 53,
    2 ** 64,
    1e308,
    Number.NaN,
    -Infinity,
    1n,
    -1n,
    2n ** 64n,
    true,
    false,
    null,
    undefined,
    '',
    'pio',
    'x\0y',
    'é'.repeat(300),
    Symbol('s'),
    {},
    [],
    [1],
    [[]],
    [null],
    new Array(100),
    () => 1,
    new Date(0),
    new Map(),
    new Uint8Array(3),
    new Uint8Array(0),
    new Uint8Array(70_000),
    new Uint16Array(3),
    new Uint32Array(3),
    new Float64Array([0, 4096]),
    new Float64Array([1]),
    new DataView(new ArrayBuffer(4)),
    new ArrayBuffer(4),
    new Uint8Array(new SharedArrayBuffer(4)),
    new Proxy({}, {}),
  ];
  const skipped = new Set(['seccomp.install', 'kvm.run']);
  let seed = 12345;
  const pick = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return garbage[(seed >>> 8) % garbage.length];
  };
  const outcomes = { returned: 0, refused: 0 };
  for (const [contract, functions] of Object.entries(session)) {
    for (const [name, fn] of Object.entries(functions)) {
      if (fn === undefined || skipped.has(`${contract}.${name}`)) continue;
      for (let round = 0; round < 60; round++) {
        try {
          fn(...Array.from({ length: round % 9 }, pick));
          outcomes.returned++;
        } catch (error) {
          t.true(HalError.is(error), `${contract}.${name}: ${String(error)}`);
          outcomes.refused++;
        }
      }
    }
  }
  session.close();
  t.true(outcomes.returned > 0 && outcomes.refused > 1000, JSON.stringify(outcomes));
});

nativeTest('session: a getter that closes what the call names', (t) => {
  const session = loadAddon().open();
  const { near } = addonFunction(session, 'channel', 'pair')('link') as { near: number };
  const attach = [1];
  Object.defineProperty(attach, 0, {
    get: () => {
      addonFunction(session, 'channel', 'close')(near);
      throw new RangeError('from the getter');
    },
  });
  t.throws(() => addonFunction(session, 'channel', 'send')(near, new Uint8Array(1), attach), {
    instanceOf: RangeError,
    message: 'from the getter',
  });
  session.close();
});

nativeTest('session: workers and processes end with everything open', (t) => {
  const { status, stdout, stderr } = runHelper('worker-helper', []);
  t.deepEqual([status, stdout, stderr], [0, 'done', '']);
});
