import test from 'ava';
import { Volume } from 'memfs';
import {
  type MemPressureOptions,
  memPressureOf,
  type Scheduler,
} from '../../../src/hal/native/mem-pressure.js';

const DEVICE = '/dev/chromeos-low-mem';
const SYSFS = '/sys/kernel/mm/chromeos-low_mem';
const CHROMEOS = { [DEVICE]: '', [`${SYSFS}/margin`]: '50', [`${SYSFS}/available`]: '40' };

function meminfo(freeMiB: number): string {
  return [
    'MemTotal: 8388608 kB',
    `MemFree: ${freeMiB * 1024} kB`,
    'Active(file): 0 kB',
    'Inactive(file): 0 kB\n',
  ].join('\n');
}

/** Time by hand: `soon` callbacks run at `tick`, periodic ones at each `tick` after. */
class HandScheduler implements Scheduler {
  readonly periods: number[] = [];
  private once = new Set<() => void>();
  private readonly repeated = new Set<() => void>();

  soon(callback: () => void) {
    this.once.add(callback);
    return { close: () => this.once.delete(callback) };
  }

  every(milliseconds: number, callback: () => void) {
    const own = () => callback();
    this.periods.push(milliseconds);
    this.repeated.add(own);
    return { close: () => this.repeated.delete(own) };
  }

  tick(): void {
    const due = this.once.size > 0 ? this.once : this.repeated;
    if (due === this.once) this.once = new Set();
    for (const callback of [...due]) callback();
  }

  get idle(): boolean {
    return this.once.size === 0 && this.repeated.size === 0;
  }
}

class HandWatcher {
  readonly watched: string[] = [];
  readonly open = new Set<() => void>();

  watchReadable(path: string, callback: () => void) {
    this.watched.push(path);
    this.open.add(callback);
    return { close: () => this.open.delete(callback) };
  }
}

function rig(files: Readonly<Record<string, string>>, extra: Partial<MemPressureOptions> = {}) {
  const fs = new Volume();
  fs.fromJSON(files);
  const scheduler = new HandScheduler();
  let lows = 0;
  const implementation = memPressureOf({ fs, scheduler, ...extra });
  const pressure = implementation.create({
    low: () => {
      lows++;
    },
  });
  const arm = (margin: number, interval = 100_000_000) => pressure.arm({ margin, interval });
  return { fs, scheduler, implementation, pressure, arm, lows: () => lows };
}

test('probe prefers the notifier where its device, its files and a watcher are there', (t) => {
  const both = { ...CHROMEOS, '/proc/meminfo': meminfo(1) };
  t.is(rig(both, { watcher: new HandWatcher() }).pressure.probe().source, 'chromeos');
  const blind = rig(both).pressure.probe();
  t.is(blind.source, 'meminfo');
  t.regex(blind.reason, /nothing here can wait for it/);
});

test('probe says what is missing', (t) => {
  const stock = rig({ '/proc/meminfo': meminfo(1) }).pressure.probe();
  t.is(stock.source, 'meminfo');
  t.regex(stock.reason, /no \/dev\/chromeos-low-mem/);
  const nothing = rig({}).pressure.probe();
  t.is(nothing.source, 'none');
  t.regex(nothing.reason, /\/proc\/meminfo cannot be read .*ENOENT/);
  t.regex(rig({ '/proc/meminfo': 'x' }).pressure.probe().reason, /no line for MemTotal/);
});

test('armed while low: speaks once, soon, and not inside arm', (t) => {
  const { arm, scheduler, lows } = rig({ '/proc/meminfo': meminfo(99) });
  arm(100);
  t.is(lows(), 0);
  scheduler.tick();
  t.is(lows(), 1);
  t.true(scheduler.idle, 'it disarmed itself');
  arm(100);
  scheduler.tick();
  t.is(lows(), 2, 'still low: the next arming speaks again');
});

test('armed before it is low: looks every interval until it falls under the margin', (t) => {
  const { arm, scheduler, lows, fs } = rig({ '/proc/meminfo': meminfo(100) });
  arm(100);
  t.deepEqual(scheduler.periods, [100]);
  scheduler.tick();
  scheduler.tick();
  t.is(lows(), 0, 'equal to the margin is not under it');
  fs.writeFileSync('/proc/meminfo', meminfo(99));
  scheduler.tick();
  t.is(lows(), 1);
  t.true(scheduler.idle);
});

test('min_free_kbytes counts, read at each arming', (t) => {
  const files = { '/proc/meminfo': meminfo(100), '/proc/sys/vm/min_free_kbytes': '1024\n' };
  const { arm, scheduler, lows } = rig(files);
  arm(100);
  scheduler.tick();
  t.is(lows(), 1);
});

test('the file is opened once for many looks, and closed at the end', (t) => {
  const { arm, scheduler, fs, implementation } = rig({ '/proc/meminfo': meminfo(500) });
  const opened: unknown[] = [];
  const open = fs.openSync.bind(fs);
  fs.openSync = (path, flags) => {
    opened.push(path);
    return open(path, flags);
  };
  let closed = 0;
  const close = fs.closeSync.bind(fs);
  fs.closeSync = (fd) => {
    closed++;
    close(fd);
  };
  arm(100);
  for (let look = 0; look < 10; look++) scheduler.tick();
  t.deepEqual(opened.filter((path) => path === '/proc/meminfo').length, 1);
  t.is(closed, 0);
  implementation.dispose?.();
  t.is(closed, 1);
  t.true(scheduler.idle);
});

test('a look that fails is not low, and the next one opens the file again', (t) => {
  const { arm, scheduler, lows, fs } = rig({ '/proc/meminfo': meminfo(500) });
  arm(100);
  scheduler.tick();
  const read = fs.readSync;
  fs.readSync = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  scheduler.tick();
  t.is(lows(), 0);
  fs.readSync = read;
  fs.writeFileSync('/proc/meminfo', meminfo(1));
  scheduler.tick();
  t.is(lows(), 1);
});

test('disarmed before it could speak: silence', (t) => {
  const { arm, pressure, scheduler, lows } = rig({ '/proc/meminfo': meminfo(1) });
  arm(100);
  pressure.disarm();
  pressure.disarm();
  scheduler.tick();
  t.is(lows(), 0);
});

test('an interval of 0 and a host without a source are typed errors', (t) => {
  const { arm, scheduler } = rig({ '/proc/meminfo': meminfo(1) });
  t.like(
    t.throws(() => arm(100, 0)),
    { code: 'INVALID_ARGUMENT' },
  );
  t.true(scheduler.idle);
  t.like(
    t.throws(() => rig({}).arm(100)),
    { code: 'UNSUPPORTED' },
  );
});

test('the notifier: one event for each arming, however often the device says readable', (t) => {
  const watcher = new HandWatcher();
  const { arm, lows, scheduler } = rig(CHROMEOS, { watcher });
  arm(0, 0);
  t.deepEqual(watcher.watched, [DEVICE]);
  const [callback] = watcher.open;
  callback?.();
  callback?.();
  t.is(lows(), 1);
  t.is(watcher.open.size, 0);
  t.true(scheduler.idle, 'nothing is polled');
  arm(0, 0);
  t.is(watcher.open.size, 1);
});

test('a device that cannot be opened is SYSCALL_FAILED', (t) => {
  const watchReadable = () => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES', errno: -13, syscall: 'open' });
  };
  const { arm } = rig(CHROMEOS, { watcher: { watchReadable } });
  t.like(
    t.throws(() => arm(0)),
    { code: 'SYSCALL_FAILED', errno: 13 },
  );
});

test('the stand-in directory for /proc, and the default scheduler, work on a real loop', async (t) => {
  const fs = new Volume();
  fs.fromJSON({ '/fake/proc/meminfo': meminfo(1) });
  await new Promise<void>((resolve) => {
    const implementation = memPressureOf({ fs, root: '/fake' });
    implementation.create({ low: () => resolve() }).arm({ margin: 100, interval: 3_600e9 });
  });
  t.pass();
});
