import * as nodeFs from 'node:fs';
import { HalError, UnsupportedError } from '../contract/errors.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { type MiB, type Nanoseconds, NS_PER_MS } from '../contract/units.js';
import { MemPressure } from '../mem-pressure.js';
import {
  CHROMEOS_AVAILABLE_PATH,
  CHROMEOS_DEVICE_PATH,
  CHROMEOS_MARGIN_PATH,
  hostFigures,
  MEMINFO_MAX_BYTES,
  MEMINFO_PATH,
  MIN_FREE_MAX_BYTES,
  MIN_FREE_PATH,
} from '../mem-pressure-figures.js';
import { type ReadingFs, readOnce } from './host-files.js';
import { failedSyscall } from './node-errors.js';

/** Something under way that can be ended. Ending it twice is allowed. */
export interface Watch {
  close(): void;
}

/** Tells when a file is readable (POLLIN); the addon's side. */
export interface ReadableWatcher {
  /** Calls back at least once while the file is readable, and not before it returned. */
  watchReadable(path: string, callback: () => void): Watch;
}

export interface Scheduler {
  /** Calls back soon, and not before it returned. */
  soon(callback: () => void): Watch;
  every(milliseconds: number, callback: () => void): Watch;
}

export interface ProbingFs extends ReadingFs {
  existsSync(path: string): boolean;
}

export interface MemPressureOptions {
  /** Default: node:fs. */
  readonly fs?: ProbingFs;
  /** Put before every path. Default: none. */
  readonly root?: string;
  /** Default: Node's timers, which keep the process alive while the notification is armed. */
  readonly scheduler?: Scheduler;
  /** Without it the ChromeOS notifier is not used. */
  readonly watcher?: ReadableWatcher;
}

interface Source {
  readonly name: 'chromeos' | 'meminfo' | 'none';
  readonly reason: string;
}

const nodeScheduler: Scheduler = {
  soon(callback) {
    const immediate = setImmediate(callback);
    return { close: () => clearImmediate(immediate) };
  },
  every(milliseconds, callback) {
    const timer = setInterval(callback, milliseconds);
    return { close: () => clearInterval(timer) };
  },
};

/**
 * `MemPressure` of this host: the ChromeOS notifier where its device and files exist, else /proc/meminfo, looked at
 * when armed and then every `interval`. Each arming speaks once at most.
 *
 * Errors of `arm`: UNSUPPORTED where there is no source, SYSCALL_FAILED where the device cannot be opened or watched,
 * INVALID_ARGUMENT for an interval of 0. A look that fails later counts as "not low"; the policy reads the files itself.
 */
export function memPressureOf(
  options: MemPressureOptions = {},
): Implementation<typeof MemPressure> {
  const created: HostPressure[] = [];
  return implement(
    MemPressure,
    (emit) => {
      const pressure = new HostPressure(options, emit);
      created.push(pressure);
      return pressure;
    },
    {
      dispose: () => {
        for (const pressure of created.splice(0)) pressure.dispose();
      },
    },
  );
}

class HostPressure {
  private readonly fs: ProbingFs;
  private readonly root: string;
  private readonly scheduler: Scheduler;
  private readonly watcher: ReadableWatcher | undefined;
  private readonly emit: Emitter<typeof MemPressure>;
  private readonly meminfo: Meminfo;
  private source: Source | undefined;
  private watches: Watch[] = [];

  constructor(options: MemPressureOptions, emit: Emitter<typeof MemPressure>) {
    this.fs = options.fs ?? nodeFs;
    this.root = options.root ?? '';
    this.scheduler = options.scheduler ?? nodeScheduler;
    this.watcher = options.watcher;
    this.emit = emit;
    this.meminfo = new Meminfo(this.fs, this.root);
  }

  probe(): { source: Source['name']; reason: string } {
    this.source = this.findSource();
    return { source: this.source.name, reason: this.source.reason };
  }

  arm({ margin, interval }: { margin: MiB; interval: Nanoseconds }): void {
    this.disarm();
    this.source ??= this.findSource();
    if (this.source.name === 'chromeos') this.armNotifier();
    else if (this.source.name === 'meminfo') this.armPolling(margin, interval);
    else {
      throw new UnsupportedError(
        `This host has no source of memory pressure: ${this.source.reason}`,
        'Run on Linux with /proc mounted, or replay a recording.',
      );
    }
  }

  disarm(): void {
    for (const watch of this.watches.splice(0)) watch.close();
  }

  dispose(): void {
    this.disarm();
    this.meminfo.close();
  }

  private armNotifier(): void {
    const path = this.root + CHROMEOS_DEVICE_PATH;
    if (this.watcher === undefined) return;
    try {
      this.watches.push(this.watcher.watchReadable(path, () => this.speak()));
    } catch (error) {
      throw HalError.is(error) ? error : failedSyscall(error, 'open', path);
    }
  }

  private armPolling(margin: MiB, interval: Nanoseconds): void {
    if (interval < 1) {
      throw new HalError(
        'INVALID_ARGUMENT',
        'mem-pressure.arm: interval is 0; give the time between two looks, at least 1 ns',
      );
    }
    this.meminfo.readMinFree();
    const look = () => {
      const available = this.meminfo.availableMiB();
      if (available !== undefined && available < margin) this.speak();
    };
    // Never inside `arm`: a notification that is disarmed in the same turn must not speak.
    this.watches.push(this.scheduler.soon(look));
    this.watches.push(this.scheduler.every(Math.max(1, Math.round(interval / NS_PER_MS)), look));
  }

  private speak(): void {
    if (this.watches.length === 0) return;
    this.disarm();
    this.emit.low({});
  }

  private findSource(): Source {
    const wanted = [CHROMEOS_DEVICE_PATH, CHROMEOS_MARGIN_PATH, CHROMEOS_AVAILABLE_PATH];
    const missing = wanted.filter((path) => !this.fs.existsSync(this.root + path));
    if (missing.length === 0 && this.watcher !== undefined) {
      return { name: 'chromeos', reason: `found ${CHROMEOS_DEVICE_PATH} and its files` };
    }
    const without =
      missing.length === 0
        ? `${CHROMEOS_DEVICE_PATH} exists, but nothing here can wait for it`
        : `no ${missing.join(', ')}`;
    const fault = this.meminfo.fault();
    return fault === undefined
      ? { name: 'meminfo', reason: `${without}; using ${MEMINFO_PATH}` }
      : { name: 'none', reason: `${without}; ${fault}` };
  }
}

/** /proc/meminfo, kept open: each look is one read at offset 0. */
class Meminfo {
  private readonly fs: ReadingFs;
  private readonly root: string;
  private readonly buffer = new Uint8Array(MEMINFO_MAX_BYTES);
  private fd: number | undefined;
  private minFree: Uint8Array | undefined;

  constructor(fs: ReadingFs, root: string) {
    this.fs = fs;
    this.root = root;
  }

  /** What keeps the file from being used, or undefined. */
  fault(): string | undefined {
    try {
      const figures = hostFigures(this.content());
      if (figures.status === 'read') return undefined;
      return `${MEMINFO_PATH} has no line for ${figures.missing.join(', ')}`;
    } catch (error) {
      return `${MEMINFO_PATH} cannot be read (${error instanceof Error ? error.message : error})`;
    }
  }

  /** Changes by an administrator's hand only, so once for each arming is enough. */
  readMinFree(): void {
    try {
      this.minFree = readOnce(this.fs, this.root + MIN_FREE_PATH, MIN_FREE_MAX_BYTES);
    } catch {
      this.minFree = undefined;
    }
  }

  /** Undefined if the file cannot be read now. */
  availableMiB(): MiB | undefined {
    try {
      const figures = hostFigures(this.content(), this.minFree);
      return figures.status === 'read' ? figures.availableMiB : undefined;
    } catch {
      return undefined;
    }
  }

  close(): void {
    const { fd } = this;
    this.fd = undefined;
    if (fd !== undefined) this.fs.closeSync(fd);
  }

  private content(): Uint8Array {
    const path = this.root + MEMINFO_PATH;
    try {
      this.fd ??= this.fs.openSync(path, 'r');
      const length = this.fs.readSync(this.fd, this.buffer, 0, this.buffer.length, 0);
      return this.buffer.subarray(0, length);
    } catch (error) {
      // The next look opens the file again: some file systems cannot read twice from one descriptor.
      this.close();
      throw failedSyscall(error, 'read', path);
    }
  }
}
