import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadDeviceJail, shippedPolicy } from '../../src/cli/device-jail.js';
import { explain, UsageError } from '../../src/cli/failure.js';
import { replayFile } from '../../src/cli/replay-command.js';
import { footprintsOf } from '../../src/cli/seccomp/footprints.js';
import type { Refused } from '../../src/programs/device-jail.js';
import { ARCHITECTURE_NAMES, architectureOf } from '../../src/seccomp/architecture.js';
import { proposePolicy } from '../../src/seccomp/learn/propose.js';
import { openTraceFile } from '../../src/trace/trace-file.js';
import { filterFor, KILL_PROCESS } from '../hal/native/filters.js';
import { jailTest } from '../hal/native/native-rig.js';
import { laneProcesses } from './lane-processes.js';
import { RealDevice, type RealDeviceOptions } from './real-device.js';

const folder = mkdtempSync(join(tmpdir(), 'halyard-'));
test.after.always(() => rmSync(folder, { recursive: true }));

interface Told {
  readonly refused: Refused[];
  readonly notices: string[];
}

/** A jailed device of this test's, and what is told of it. */
function startDevice(t: ExecutionContext, options: RealDeviceOptions): RealDevice & { told: Told } {
  const told: Told = { refused: [], notices: [] };
  const device = new RealDevice({
    filterPrograms: loadDeviceJail('user-notify').programs,
    ...options,
    config: { jail: 'user-notify', ...options.config },
    observer: {
      refused: (refused) => told.refused.push(refused),
      notice: (text) => told.notices.push(text),
    },
  });
  t.teardown(() => device.shutDown());
  return Object.assign(device, { told });
}

/** A copy of the shipped policy with one line changed. */
function changedPolicy(name: string, from: string, to: string): string {
  const copy = join(folder, name);
  cpSync(dirname(shippedPolicy()), copy, { recursive: true });
  const file = join(copy, 'balloon_device.policy');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(from, to));
  return file;
}

const nameOf = ({ number }: Refused) => architectureOf(process.arch).syscallNames.get(number);

jailTest('a jailed device serves its guest, ends cleanly, and both lanes replay', async (t) => {
  const record = join(folder, 'whole.mcap');
  const device = startDevice(t, { record, config: { seconds: 4001 } });
  await device.boot();
  for (const frame of [0x1000, 0x1001, 0x1005]) {
    device.fill(frame);
    await device.inflate(frame);
    t.true(device.isZero(frame));
  }
  device.shutDown();
  const { failure } = await device.ended;
  t.is(failure, undefined);
  t.deepEqual(device.told, { refused: [], notices: [] });
  const { lanes } = openTraceFile(record);
  t.deepEqual(
    lanes.map(({ name, outcome }) => [name, outcome]),
    [
      ['main', 'stopped'],
      ['device', 'stopped'],
    ],
  );
  t.is((await replayFile(record, { match: 'exact' })).verdict, 'identical');
});

jailTest('what the jail refuses is told, ends the device, and the balloon goes on', async (t) => {
  const record = join(folder, 'refused.mcap');
  const device = startDevice(t, { record, config: { seconds: 4002 } });
  await device.boot();
  await device.inflate(0x1000);
  // Node then starts its inspector: a thread, and a port that listens.
  process.kill(laneProcesses('"seconds":4002')[0] ?? 0, 'SIGUSR1');
  await device.until(() => device.told.notices.length > 0);
  const [refused] = device.told.refused;
  t.regex(
    refused === undefined ? '' : `${nameOf(refused)}`,
    /^(prlimit64|getrlimit|mmap2?|clone3?)$/,
  );
  t.is(refused?.during, '');
  t.is(device.told.refused.length, 1);
  t.regex(device.told.notices[0] ?? '', /ended by SIGKILL \(its jail refused a system call\)/);
  device.fill(0x1001);
  await device.inflate(0x1001);
  t.true(device.isZero(0x1001), 'its successor goes on');
  device.shutDown();
  t.is((await device.ended).failure, undefined);
  const { lanes } = openTraceFile(record);
  t.deepEqual(
    lanes.map(({ name, outcome }) => [name, outcome]),
    [
      ['main', 'stopped'],
      ['device', 'killed'],
      ['device#2', 'stopped'],
    ],
  );
  t.is((await replayFile(record, { match: 'exact' })).verdict, 'identical');
});

/** The half of crosvm's change 448516e3f9 that was easily forgotten. */
const OLD_RULE = ['arg2 == MADV_REMOVE', 'arg2 == MADV_DONTNEED'] as const;

jailTest('a policy of before the change: the refusal names argument, call and line', async (t) => {
  const policy = changedPolicy('old', ...OLD_RULE);
  const jail = loadDeviceJail('user-notify', policy);
  const device = startDevice(t, {
    filterPrograms: jail.programs,
    config: { onDeviceExit: 'stop', seconds: 4003 },
  });
  await device.boot();
  const given = device.inflate(0x1000);
  const { failure } = await device.ended;
  t.regex(explain(failure).line, /refused a system call.*It is not started again/);
  t.is(explain(failure).exitCode, 1);
  const [refused] = device.told.refused;
  if (refused === undefined) return t.fail('nothing was told');
  t.is(nameOf(refused), 'madvise');
  t.is(refused.args[2], 9n, 'MADV_REMOVE');
  t.is(refused.during, 'mmap.discard');
  const text = readFileSync(policy, 'utf8').split('\n');
  const line = text.findIndex((each) => each.startsWith('madvise')) + 1;
  const told = jail.explain(refused) ?? '';
  t.true(told.includes(`balloon_device.policy:${line};`), told);
  given.catch(() => {});
});

jailTest('kill-process: the kernel ends the device, and the run says so', async (t) => {
  const policy = changedPolicy('killing', ...OLD_RULE);
  const device = startDevice(t, {
    filterPrograms: loadDeviceJail('kill-process', policy).programs,
    config: { jail: 'kill-process', onDeviceExit: 'stop', seconds: 4004 },
  });
  await device.boot();
  device.inflate(0x1000).catch(() => {});
  const { line } = explain((await device.ended).failure);
  t.regex(line, /ended by SIGSYS .*audit log/);
  t.deepEqual(device.told.refused, []);
});

jailTest('log: what is not allowed is done all the same, and a policy learned of it', async (t) => {
  const record = join(folder, 'log.mcap');
  const jail = loadDeviceJail('log', changedPolicy('logging', ...OLD_RULE));
  const device = startDevice(t, {
    record,
    filterPrograms: jail.programs,
    config: { jail: 'log', onDeviceExit: 'stop', seconds: 4007 },
  });
  await device.boot();
  for (const frame of [0x1000, 0x1001, 0x1005]) {
    device.fill(frame);
    await device.inflate(frame);
    t.true(device.isZero(frame), 'the pages are given back');
  }
  device.shutDown();
  t.is((await device.ended).failure, undefined);
  const { refused, notices } = device.told;
  t.deepEqual([refused.length, notices.length], [3, 0]);
  const [first, ...rest] = refused.map((each) => jail.explain(each));
  t.regex(first ?? '', /^the jail would refuse madvise\(.*MADV_REMOVE,.*during mmap\.discard/);
  t.deepEqual(rest, [undefined, undefined], 'each call is told once');
  t.is((await replayFile(record, { match: 'exact' })).verdict, 'identical');

  const run = await footprintsOf(record, 'device', undefined);
  const observed = run.observations.filter(({ architecture }) => architecture !== undefined);
  t.like(observed, [{ name: 'madvise', count: 3 }]);
  for (const name of ARCHITECTURE_NAMES) {
    const options = { dialect: 'minijail-c', source: 'a test' } as const;
    const { text } = proposePolicy(run, { architecture: architectureOf(name), ...options });
    t.regex(text, /^madvise: arg2 == MADV_REMOVE$/m, name);
  }
});

jailTest(
  'log with a policy that allows nearly nothing: the device works, and all is learned',
  async (t) => {
    const policy = join(folder, 'nearly-nothing.policy');
    // Nobody answers before it has handed over its listener, nor at its end.
    const map = process.arch === 'arm' ? 'mmap2' : 'mmap';
    const needed = ['sendmsg', 'futex', 'brk', map, 'munmap', 'mprotect', 'exit_group'];
    writeFileSync(policy, needed.map((name) => `${name}: 1\n`).join(''));
    const record = join(folder, 'log-all.mcap');
    const device = startDevice(t, {
      record,
      filterPrograms: loadDeviceJail('log', policy).programs,
      config: { jail: 'log', seconds: 4008 },
    });
    await device.boot();
    device.fill(0x1000);
    await device.inflate(0x1000);
    t.true(device.isZero(0x1000));
    device.shutDown();
    t.is((await device.ended).failure, undefined);
    const run = await footprintsOf(record, undefined, undefined);
    const names = new Set(run.observations.map(({ name }) => name));
    for (const name of ['epoll_pwait', 'madvise', 'read', 'recvmsg']) {
      t.true(names.has(name), name);
    }
  },
);

test('a policy under which no listener could be handed over is refused at once', (t) => {
  const policy = join(folder, 'silent.policy');
  writeFileSync(policy, 'sendmsg: arg0 == 3\n');
  for (const choice of ['user-notify', 'log'] as const) {
    const error = t.throws(() => loadDeviceJail(choice, policy), { instanceOf: UsageError });
    t.regex(error?.message ?? '', /silent\.policy does not allow sendmsg.*`sendmsg: 1`/);
  }
  t.notThrows(() => loadDeviceJail('kill-process', policy));
});

for (const [title, probe] of [
  ['no filters', { filter: false, tsync: false, userNotify: false }],
  ['no listeners', { filter: true, tsync: true, userNotify: false }],
] as const) {
  jailTest(`a system with ${title}: one error, exit code 3, and no device`, async (t) => {
    const device = startDevice(t, { probe, config: { seconds: 4005 } });
    const { line, exitCode } = explain((await device.ended).failure);
    t.is(exitCode, 3);
    t.regex(line, /has no seccomp\(2\) with .*--no-jail/);
    t.deepEqual(laneProcesses('"seconds":4005'), []);
  });
}

jailTest(
  'a system that refuses the filter: exit code 3, and no device without a jail',
  async (t) => {
    // A program without its return: EINVAL.
    const broken = filterFor([], KILL_PROCESS).subarray(0, 8);
    const device = startDevice(t, {
      filterPrograms: new Map([['balloon_device', broken]]),
      config: { seconds: 4006 },
    });
    const { line, exitCode } = explain((await device.ended).failure);
    t.is(exitCode, 3);
    t.regex(line, /refuses to jail.*--no-jail/);
    t.deepEqual(device.told.notices, [], 'it is not started again');
  },
);
