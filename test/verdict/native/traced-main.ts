// Makes every native call, with marks for strace(1). Its arguments: a folder, "main" or "jailed", the child of the former,
// and "kvm" where there is one.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Channel } from '../../../src/hal/channel.js';
import { Clock } from '../../../src/hal/clock.js';
import { Disk } from '../../../src/hal/disk.js';
import { Entropy } from '../../../src/hal/entropy.js';
import { EventFd } from '../../../src/hal/event-fd.js';
import { HostFiles } from '../../../src/hal/host-files.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { Process } from '../../../src/hal/process.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { filterFor, USER_NOTIFY } from '../../hal/native/filters.js';
import { TracedHal } from './traced-hal.js';
import { machines } from './traced-kvm.js';

const [folder = '', role = '', hardware = ''] = process.argv.slice(2);
const PAGE = 4096;
const bytes = (text: string) => new TextEncoder().encode(text);
const PROGRAMS = new Map([
  ['all', filterFor([], USER_NOTIFY)],
  ['no-random', filterFor(['getrandom'], USER_NOTIFY)],
]);
const image = join(folder, 'disk.img');
const traced = new TracedHal({
  disks: (name) => (name === 'image' ? image : undefined),
  filterPrograms: (name) => PROGRAMS.get(name),
  lanes: {
    command: () => ({
      file: process.execPath,
      args: [fileURLToPath(import.meta.url), folder, 'jailed'],
    }),
  },
});
const mmap = traced.hal(Mmap);
const channels = traced.hal(Channel);
const eventFds = traced.hal(EventFd);
const seccomp = traced.hal(Seccomp);

function memory(): number {
  const region = mmap.createRegion({ name: 'ram', size: 16 * PAGE });
  mmap.describe({ region });
  mmap.write({ region, offset: 0, data: new Uint8Array(9 * PAGE).fill(7) });
  mmap.writeU32Array({ region, offset: 0, data: Uint32Array.of(1, 2) });
  mmap.read({ region, offset: 0, into: new Uint8Array(8) });
  mmap.readU16Array({ region, offset: 0, into: new Uint16Array(2) });
  mmap.readU32Array({ region, offset: 0, into: new Uint32Array(2) });
  mmap.loadAcquireU16({ region, offset: 0 });
  mmap.storeReleaseU16({ region, offset: 0, value: 1 });
  mmap.loadAcquireU32({ region, offset: 0 });
  mmap.orU32({ region, offset: 0, mask: 4 });
  mmap.andU32({ region, offset: 0, mask: 1 });
  mmap.residency({ region });
  // Three ranges, and an empty one.
  const ranges = Float64Array.of(0, PAGE, PAGE, 0, 2 * PAGE, 2 * PAGE, 6 * PAGE, 2 * PAGE);
  mmap.discard({ region, ranges });
  const path = join(folder, 'content');
  writeFileSync(path, new Uint8Array(3 * PAGE));
  mmap.load({ region, offset: 0, path });
  mmap.loadRange({ region, offset: 0, path, fileOffset: PAGE, maxLength: PAGE });
  return region;
}

function disks(region: number): void {
  writeFileSync(image, new Uint8Array(64 * PAGE));
  const disk = traced.hal(Disk);
  for (const readOnly of [true, false]) {
    const opened = disk.open({ name: 'image', readOnly }).disk;
    const ranges = Float64Array.of(0, PAGE, 3 * PAGE, PAGE);
    disk.readInto({ disk: opened, offset: PAGE, region, ranges });
    if (!readOnly) {
      disk.writeFrom({ disk: opened, offset: PAGE, region, ranges });
      disk.flush({ disk: opened });
      disk.discard({ disk: opened, offset: 4 * PAGE, length: 8 * PAGE });
    }
    disk.close({ disk: opened });
  }
  const none = disk.openNull({ size: PAGE });
  disk.writeFrom({ disk: none, offset: 0, region, ranges: Float64Array.of(0, PAGE) });
  disk.flush({ disk: none });
  disk.discard({ disk: none, offset: 0, length: PAGE });
  disk.close({ disk: none });
}

async function clocks(): Promise<void> {
  const clock = traced.hal(Clock);
  clock.now();
  const timer = clock.createTimer({ name: 'once' });
  clock.arm({ timer, first: 1_000_000, period: 0 });
  await traced.nextEvent(Clock, 'expired');
  clock.arm({ timer, first: 1_000_000, period: 1_000_000_000 });
  await traced.nextEvent(Clock, 'expired');
  clock.disarm({ timer });
  clock.closeTimer({ timer });
}

async function doorbells(): Promise<number> {
  const eventfd = eventFds.create({ name: 'kick' });
  eventFds.watch({ eventfd, on: true });
  eventFds.signal({ eventfd });
  await traced.nextEvent(EventFd, 'signalled');
  eventFds.watch({ eventfd, on: false });
  return eventfd;
}

async function messages(region: number, eventfd: number): Promise<void> {
  const { near, far } = channels.pair({ name: 'link' });
  channels.listen({ channel: far });
  channels.send({ channel: near, data: bytes('take'), attach: [region, eventfd, region] });
  const [first = 0, second = 0, third = 0] = (await traced.nextEvent(Channel, 'message')).attached;
  const adopted = mmap.adoptRegion({ attachment: first, size: 4 * PAGE, offset: 2 * PAGE });
  mmap.closeRegion({ region: adopted });
  eventFds.close({ eventfd: eventFds.adopt({ attachment: second }) });
  channels.send({ channel: near, data: bytes('again'), attach: [third] });
  await traced.nextEvent(Channel, 'message');
  channels.close({ channel: near });
  await traced.nextEvent(Channel, 'closed');
  channels.close({ channel: far });
}

async function jailed(): Promise<void> {
  const { near, far } = channels.pair({ name: 'link' });
  channels.listen({ channel: near });
  const child = traced.hal(Process).spawn({ lane: 'jailed', give: [far] });
  const [listener = 0, activity = 0] = (await traced.nextEvent(Channel, 'message')).attached;
  const supervised = seccomp.supervise({ listener, activity });
  channels.send({ channel: near, data: bytes('go'), attach: [] });
  const { refusal } = await traced.nextEvent(Seccomp, 'refused');
  seccomp.answer({ refusal, verdict: 'fail', errno: 1 });
  await traced.nextEvent(Channel, 'message');
  seccomp.closeListener({ listener: supervised });
  traced.hal(Process).kill({ process: child, signal: 'SIGKILL' });
  await traced.nextEvent(Process, 'exited');
}

if (role === 'main') {
  const region = memory();
  disks(region);
  traced.hal(Entropy).uniform({ below: 10 });
  traced.hal(Entropy).fill({ into: new Uint8Array(40) });
  traced.hal(HostFiles).read({ path: '/proc/meminfo', maxBytes: 8192 });
  seccomp.probe();
  await clocks();
  const eventfd = await doorbells();
  await messages(region, eventfd);
  eventFds.close({ eventfd });
  mmap.closeRegion({ region });
  await jailed();
  if (hardware === 'kvm') await machines(traced);
  traced.write(join(folder, 'main.json'));
  process.exit(0);
} else {
  const channel = channels.adopt({ slot: 0, name: 'link' });
  seccomp.install({ program: PROGRAMS.get('all') ?? new Uint8Array() });
  seccomp.confine({ program: 'all' });
  const { listener, activity } = seccomp.confineAndNotify({ program: 'no-random' });
  channels.send({ channel, data: bytes('jailed'), attach: [listener, activity] });
  channels.listen({ channel });
  await traced.nextEvent(Channel, 'message');
  try {
    traced.hal(Entropy).fill({ into: new Uint8Array(8) });
  } catch {
    // Refused, as it should be.
  }
  traced.write(join(folder, 'jailed.json'));
  channels.send({ channel, data: bytes('refused'), attach: [] });
}
