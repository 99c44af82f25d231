import test from 'ava';
import { Container, type ServiceIdentifier } from 'inversify';
import { Channel } from '../../src/hal/channel.js';
import { Clock } from '../../src/hal/clock.js';
import { BYTES_PER_MIB, NS_PER_S } from '../../src/hal/contract/units.js';
import { Entropy } from '../../src/hal/entropy.js';
import { HostFiles } from '../../src/hal/host-files.js';
import { MemPressure } from '../../src/hal/mem-pressure.js';
import { PolicyHost } from '../../src/policy/policy-host.js';
import { AVAILABLE_FILE, CONTROL, MARGIN_FILE, Rig } from './host-harness.js';

const OPTIONS = { ramBytes: 2048 * BYTES_PER_MIB, control: CONTROL };
const CHROMEOS = { [MARGIN_FILE]: '50 200 \n', [AVAILABLE_FILE]: '40\n' };
const FIGURE_READS = [`read ${MARGIN_FILE} 32`, `read ${AVAILABLE_FILE} 32`];

function meminfo(freeMiB: number): string {
  const kib = (mib: number) => `${mib * 1024} kB`;
  return `MemTotal: ${kib(10_000)}\nMemFree: ${kib(freeMiB)}\nActive(file): 0 kB\nInactive(file): 0 kB\n`;
}

function started(files: Readonly<Record<string, string>> = CHROMEOS): {
  rig: Rig;
  host: PolicyHost;
} {
  const rig = new Rig(files);
  const host = rig.host();
  host.start(rig.events, OPTIONS, rig.observer);
  return { rig, host };
}

test('start reads the figures, then listens', (t) => {
  const { rig, host } = started();
  t.deepEqual(rig.take(), [
    'create policy.low-memory',
    'create policy.free-memory',
    'create policy.margin',
    ...FIGURE_READS,
    'listen margin 50 MiB, 100 ms',
  ]);
  t.is(host.state?.mode, 'active');
  t.deepEqual(rig.rules(), ['start']);
  t.like(rig.samples[0], { availableMiB: 40, marginMiB: 50, currentBytes: 0 });
});

test('a low-memory event draws 200, 12, 6, then sends eight bytes and starts the timers', (t) => {
  const { rig } = started();
  rig.take();
  rig.drawn = 1000;
  rig.events.low();
  t.deepEqual(rig.take(), [
    'uniform 200',
    'uniform 12',
    'uniform 6',
    `send on ${CONTROL}`,
    'ignore',
    'timer policy.low-memory 1199 ms, 0 ms',
    'timer policy.free-memory 71000 ms, 35000 ms',
  ]);
  t.deepEqual(
    rig.sent.map((data) => [...data]),
    [[0, 0, 0, 4, 0, 0, 0, 0]],
  );
  rig.events.expired(rig.timer('policy.low-memory'));
  t.deepEqual(rig.take(), ['listen margin 50 MiB, 100 ms']);
});

test('a low-memory event that is not wanted draws nothing', (t) => {
  const { rig } = started();
  rig.events.low();
  rig.take();
  rig.events.low();
  t.deepEqual(rig.take(), []);
});

test('the free-memory timer reads both files and shrinks with room; empty, it stops', (t) => {
  const { rig } = started();
  const free = () => rig.events.expired(rig.timer('policy.free-memory'));
  rig.events.low();
  rig.take();
  free();
  t.deepEqual(rig.take(), FIGURE_READS);
  rig.files.writeFileSync(AVAILABLE_FILE, '178');
  free();
  t.deepEqual(rig.take(), [...FIGURE_READS, `send on ${CONTROL}`]);
  t.deepEqual(rig.targetsMiB(), [64, 0]);
  free();
  t.deepEqual(rig.take(), ['stop policy.free-memory']);
});

test('margin "off" at the start: idle, said once, read again every 60 s, active when it is back', (t) => {
  const { rig, host } = started({ ...CHROMEOS, [MARGIN_FILE]: 'off\n' });
  t.is(host.state?.mode, 'idle');
  t.deepEqual(rig.take().slice(3), [
    `read ${MARGIN_FILE} 32`,
    'timer policy.margin 60000 ms, 60000 ms',
  ]);
  t.is(rig.notices.length, 1);
  t.regex(rig.notices[0] ?? '', /margin is off.*60 s/);

  rig.events.low();
  rig.events.expired(rig.timer('policy.margin'));
  t.deepEqual(rig.take(), [`read ${MARGIN_FILE} 32`]);
  t.is(rig.notices.length, 1);

  rig.files.writeFileSync(MARGIN_FILE, '70');
  rig.events.expired(rig.timer('policy.margin'));
  t.deepEqual(rig.take(), [...FIGURE_READS, 'stop policy.margin', 'listen margin 70 MiB, 100 ms']);
  t.is(host.state?.mode, 'active');
});

test('margin "off" in the middle of a run: idle, and the balloon stays', (t) => {
  const { rig, host } = started();
  rig.events.low();
  rig.files.writeFileSync(MARGIN_FILE, 'off');
  rig.take();
  rig.events.expired(rig.timer('policy.free-memory'));
  t.deepEqual(rig.take(), [
    `read ${MARGIN_FILE} 32`,
    'stop policy.low-memory',
    'stop policy.free-memory',
    'timer policy.margin 60000 ms, 60000 ms',
  ]);
  t.like(host.state, { mode: 'idle', currentBytes: 64 * BYTES_PER_MIB });
});

const UNREADABLE: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['no margin file', { [AVAILABLE_FILE]: '40' }, /margin.*ENOENT/],
  ['no available file', { [MARGIN_FILE]: '50' }, /available.*ENOENT/],
  ['an empty margin file', { ...CHROMEOS, [MARGIN_FILE]: '' }, /margin: the file is empty/],
  ['garbage for available', { ...CHROMEOS, [AVAILABLE_FILE]: 'much' }, /available: "much"/],
];

for (const [what, files, reason] of UNREADABLE) {
  test(`${what}: the policy is disabled with the reason, said once`, (t) => {
    const { rig, host } = started(files);
    t.is(host.state?.mode, 'disabled');
    t.is(rig.notices.length, 1);
    t.regex(rig.notices[0] ?? '', /^policy disabled: /);
    t.regex(rig.notices[0] ?? '', reason);
    rig.take();
    rig.events.low();
    for (const timer of rig.timers.values()) rig.events.expired(timer);
    t.deepEqual(
      rig.take().filter((line) => !line.startsWith('read')),
      [],
    );
    t.is(rig.notices.length, 1);
  });
}

test('a file that goes away in the middle of a run disables the policy and stops its timers', (t) => {
  const { rig, host } = started();
  rig.events.low();
  rig.events.expired(rig.timer('policy.low-memory'));
  rig.files.unlinkSync(AVAILABLE_FILE);
  rig.take();
  rig.events.expired(rig.timer('policy.free-memory'));
  t.deepEqual(rig.take(), [
    ...FIGURE_READS,
    'ignore',
    'stop policy.low-memory',
    'stop policy.free-memory',
  ]);
  t.like(host.state, { mode: 'disabled', currentBytes: 64 * BYTES_PER_MIB });
});

test('a send that fails: current is kept, the target goes out again at the next event', (t) => {
  const { rig, host } = started();
  rig.sendFails = true;
  rig.events.low();
  t.like(host.state, { currentBytes: 0, unsentBytes: 64 * BYTES_PER_MIB });
  rig.events.expired(rig.timer('policy.low-memory'));
  t.deepEqual(rig.notices, [
    "the balloon's target could not be sent (sendmsg: EAGAIN); every event sends it again",
  ]);
  rig.sendFails = false;
  rig.take();
  rig.events.low();
  t.is(rig.take().filter((line) => line.startsWith('send')).length, 1);
  t.deepEqual(rig.targetsMiB(), [64]);
  t.like(host.state, { currentBytes: 64 * BYTES_PER_MIB, unsentBytes: undefined });
});

test('a new control channel gets the last target again, also one that could not be sent', (t) => {
  const { rig, host } = started();
  t.false(host.hasSent);
  host.useControl(CONTROL + 1);
  rig.take();
  rig.events.low();
  t.true(host.hasSent);
  const before = rig.take().filter((call) => call.startsWith('send'));
  t.deepEqual(before, [`send on ${CONTROL + 1}`]);
  host.useControl(CONTROL + 2);
  t.deepEqual(rig.take(), [`send on ${CONTROL + 2}`]);
  const [first, again] = rig.targetsMiB();
  t.is(again, first);
  t.deepEqual(host.state?.unsentBytes, undefined);
});

test('no source, or one that cannot be armed: disabled, and no timer is left', (t) => {
  const none = new Rig();
  none.source = 'none';
  none.host().start(none.events, OPTIONS, none.observer);
  t.deepEqual(none.notices, ['policy disabled: nothing there']);
  t.deepEqual(none.take(), []);

  const refused = new Rig(CHROMEOS);
  refused.armFails = true;
  const host = refused.host();
  host.start(refused.events, OPTIONS, refused.observer);
  t.is(host.state?.mode, 'disabled');
  t.deepEqual(refused.notices, ['policy disabled: open: EACCES']);
});

test('errors that are no outcome of the machine are thrown on', (t) => {
  const rig = new Rig(CHROMEOS);
  rig.files.openSync = () => {
    throw new RangeError('a bug');
  };
  const error = t.throws(() => rig.host().start(rig.events, OPTIONS), { instanceOf: RangeError });
  t.is(error?.message, 'a bug');
});

test('on stock Linux the margin is given, automatic, or below what is available at the start', (t) => {
  for (const [margin, marginMiB] of [
    [123, 123],
    ['auto', 520],
    [undefined, 520],
    [{ belowAvailable: 100 }, 3900],
    [{ belowAvailable: 9999 }, 0],
  ] as const) {
    const rig = new Rig({
      '/proc/meminfo': meminfo(4064),
      '/proc/sys/vm/min_free_kbytes': '65536',
    });
    rig.source = 'meminfo';
    const options = margin === undefined ? OPTIONS : { ...OPTIONS, margin };
    rig.host().start(rig.events, { ...options, pollIntervalNs: 5e6 }, rig.observer);
    t.deepEqual(rig.take().slice(3), [
      'read /proc/meminfo 8192',
      'read /proc/sys/vm/min_free_kbytes 32',
      `listen margin ${marginMiB} MiB, 5 ms`,
    ]);
    rig.files.writeFileSync('/proc/meminfo', meminfo(1000));
    rig.events.low();
    rig.events.expired(rig.timer('policy.free-memory'));
    t.like(rig.samples.at(-1), { availableMiB: 936, marginMiB }, 'the margin stays');
  }
});

test('samples are taken when asked for, change no decision, and end with the policy', (t) => {
  const rig = new Rig(CHROMEOS);
  const host = rig.host();
  host.start(rig.events, { ...OPTIONS, sampleIntervalNs: NS_PER_S }, rig.observer);
  const before = host.state;
  rig.take();
  rig.files.writeFileSync(MARGIN_FILE, 'off');
  rig.events.expired(rig.timer('policy.sample'));
  t.deepEqual(rig.take(), [`read ${MARGIN_FILE} 32`]);
  t.like(rig.samples.at(-1), { availableMiB: undefined, observation: { status: 'off' } });
  t.is(host.state, before);
  host.stop();
  t.true(rig.take().includes('close policy.sample'));
});

test('an observer that throws, or none at all, changes no call', (t) => {
  const watched = started().rig;
  watched.events.low();
  const rig = new Rig(CHROMEOS);
  const host = rig.host();
  const failure = new Error('no chart');
  host.start(rig.events, OPTIONS, {
    sample: () => {
      throw failure;
    },
  });
  rig.events.low();
  t.deepEqual(rig.take(), watched.take());
  t.is(host.observerFailure, failure);
});

test('stop ends subscriptions, notification and timers', (t) => {
  const { rig, host } = started();
  rig.take();
  host.stop();
  t.deepEqual(rig.take(), [
    'ignore',
    'close policy.low-memory',
    'close policy.free-memory',
    'close policy.margin',
  ]);
  t.is(rig.events.subscriptions, 0);
  host.stop();
  t.deepEqual(rig.take(), []);
});

test('options that make no sense are refused before any call', (t) => {
  const rig = new Rig(CHROMEOS);
  for (const wrong of [
    { margin: -1 },
    { margin: { belowAvailable: 0.5 } },
    { pollIntervalNs: 0 },
    { sampleIntervalNs: 0.5 },
    { ramBytes: -1 },
    { timeScale: 0 },
  ]) {
    t.throws(() => rig.host().start(rig.events, { ...OPTIONS, ...wrong }), {
      instanceOf: RangeError,
    });
  }
  t.deepEqual(rig.take(), []);
});

test('inversify composes it from the contracts', (t) => {
  const container = new Container();
  const rig = new Rig(CHROMEOS);
  const parts = rig.parts();
  for (const [contract, part] of [
    [Clock, parts.clock],
    [Entropy, parts.entropy],
    [HostFiles, parts.files],
    [MemPressure, parts.pressure],
    [Channel, parts.channel],
  ] as const) {
    container.bind(contract as unknown as ServiceIdentifier<object>).toConstantValue(part);
  }
  container.bind(PolicyHost).toSelf();
  const host = container.get(PolicyHost);
  host.start(rig.events, OPTIONS);
  t.is(host.state?.mode, 'active');
});
