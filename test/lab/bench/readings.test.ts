import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { between, cpuOfTree, parseStat, processTree } from '../../../lab/bench/cpu-time.js';
import { hitsOf, unmountedFolders } from '../../../lab/bench/kernel-counts.js';
import { Lines } from '../../../lab/bench/lines.js';

/** A line as /proc/PID/stat has it, with the times at their places. */
function statLine(name: string, times: { user: number; system: number; guest: number }): string {
  const fields = Array.from({ length: 52 }, () => '7');
  fields[1] = `(${name})`;
  fields[13] = String(times.user);
  fields[14] = String(times.system);
  fields[42] = String(times.guest);
  return `${fields.join(' ')}\n`;
}

test('guest time is part of user time and is taken out of it, whatever the thread is called', (t) => {
  for (const name of ['node', 'CPU 0/KVM', 'a) b (c']) {
    const { own, guest } = parseStat(statLine(name, { user: 500, system: 120, guest: 400 }));
    t.is(own, 2.2);
    t.is(guest, 4);
  }
});

test('the time of a phase is what came between its ends', (t) => {
  const time = (own: number, guest: number) => ({ own, guest });
  const before = { all: time(1, 10), vcpus: time(0.5, 10) };
  const after = { all: time(3, 14), vcpus: time(1, 14) };
  t.deepEqual(between(before, after), { all: time(2, 4), vcpus: time(0.5, 4) });
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux("a VMM's processes are counted with those that they started", async (t) => {
  const busy = 'const end = Date.now() + 400; while (Date.now() < end);';
  const parent = `require('node:child_process').spawn(process.execPath,
    ['-e', ${JSON.stringify(`${busy} console.log('done'); setTimeout(() => {}, 60000)`)}], { stdio: 'inherit' })`;
  const child = spawn(process.execPath, ['-e', parent], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  t.teardown(() => void process.kill(-(child.pid ?? 0), 'SIGKILL'));
  await once(child.stdout, 'data');
  await sleep(50);
  const pid = child.pid ?? 0;
  t.is(processTree(pid).length, 2);
  const { all, vcpus } = cpuOfTree(pid);
  t.true(all.own > 0.05, `${all.own} s`);
  t.is(vcpus.own, 0, 'nothing here runs a guest');
});

test("calls are counted of a VMM's threads only", (t) => {
  const histogram = `# event histogram
#
# trigger info: hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048 if behavior==9 [active]
#

{ common_pid:         12 } hitcount:          3
{ common_pid:        341 } hitcount:     196608
{ common_pid:          1 } hitcount:         99

Totals:
    Hits: 196710
`;
  t.is(hitsOf(histogram, [341, 12]), 196_611);
  t.is(hitsOf(histogram, [41]), 0);
});

test('lines are found in order, in whatever pieces they come, with the time of their end', async (t) => {
  let now = 0;
  const lines = new Lines(() => now);
  now = 1;
  lines.feed('one\r\nguest: u');
  now = 2;
  lines.feed('p 4.1\nthree\n');
  const up = await lines.find(/^guest: up (\S+)$/);
  t.is(up.match[1], '4.1');
  t.is(up.atMs, 2);
  const late = lines.find(/^five$/);
  now = 3;
  lines.feed('four\nfive\n');
  t.is((await late).atMs, 3);
});

test('a program that ends without the line is an error that says so', async (t) => {
  const lines = new Lines();
  const waiting = lines.find(/never/);
  lines.feed('something else\n');
  lines.end('it ended with 3');
  await t.throwsAsync(waiting, { message: 'no line /never/: it ended with 3' });
});

test("each of the kernel's folders is mounted if it is not there, whether or not the other is", (t) => {
  const missing = (...there: string[]) =>
    unmountedFolders((path) => there.some((folder) => path.startsWith(folder))).map(
      ({ type }) => type,
    );
  t.deepEqual(missing(), ['tracefs', 'debugfs']);
  t.deepEqual(missing('/sys/kernel/debug/kvm'), ['tracefs']);
  t.deepEqual(missing('/sys/kernel/tracing/'), ['debugfs']);
  t.deepEqual(missing('/sys/kernel/'), []);
});
