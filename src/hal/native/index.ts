import type { AnyImplementation } from '../bind.js';
import { Channel } from '../channel.js';
import { Clock } from '../clock.js';
import type { HalContract, HalOf } from '../contract/define.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { Disk } from '../disk.js';
import { Entropy } from '../entropy.js';
import { EventFd } from '../event-fd.js';
import { Kvm } from '../kvm.js';
import { Mmap } from '../mmap.js';
import { Seccomp } from '../seccomp.js';
import { type AddonSession, loadAddon } from './addon.js';
import { type DiskFiles, withDiskFiles } from './disk-files.js';
import { type FilterPrograms, withFilterPrograms } from './filter-programs.js';
import { addonFunction, connectEvents, fromAddon } from './from-addon.js';
import { type LaneStarter, processOf } from './process.js';

export { type Addon, type AddonSession, loadAddon } from './addon.js';
export type { DiskFiles } from './disk-files.js';
export type { FilterPrograms } from './filter-programs.js';
export { type HostFilesOptions, hostFilesOver, type ReadingFs } from './host-files.js';
export { type MemPressureOptions, memPressureOf } from './mem-pressure.js';
export { type LaneCommand, type LaneStarter, processOf } from './process.js';
export { readableWatcher } from './readable-watcher.js';

/** A contract that the addon satisfies as it is. */
export function addonImplementation<C extends HalContract>(
  contract: C,
  session: AddonSession,
): Implementation<C> {
  return implement<C>(
    contract,
    (emit) => {
      connectEvents(contract, session, emit);
      return fromAddon(contract, session);
    },
    { validates: true, dispose: () => session.close() },
  );
}

/** `Seccomp.probe` of this machine, outside of any program. @throws UnsupportedError without the addon. */
export function probeSeccomp(): ReturnType<HalOf<typeof Seccomp>['probe']> {
  const session = loadAddon().open();
  try {
    return fromAddon(Seccomp, session).probe();
  } finally {
    session.close();
  }
}

export interface NativeOptions {
  /** How to start other lanes in processes of their own; with it, `Process` is among the implementations. */
  readonly lanes?: Omit<LaneStarter, 'channels'>;
  /** Which files the names of disks stand for; without it no disk can be opened, but for those of `Disk.openNull`. */
  readonly disks?: DiskFiles;
  /** Which programs `Seccomp.confine` knows; without it none. */
  readonly filterPrograms?: FilterPrograms;
}

/**
 * The contracts of this machine's hardware, with handles of their own. Loads the addon.
 *
 * @throws UnsupportedError without the addon.
 */
export function nativeImplementations(options: NativeOptions = {}): readonly AnyImplementation[] {
  const session = loadAddon().open();
  const implementations: AnyImplementation[] = [Mmap, EventFd, Clock, Entropy, Channel, Kvm].map(
    (contract) => addonImplementation(contract as HalContract, session),
  );
  const disk = addonImplementation(Disk, session);
  implementations.push(withDiskFiles(disk, options.disks ?? (() => undefined)));
  implementations.push(
    withFilterPrograms(
      addonImplementation(Seccomp, session),
      {
        confine: addonFunction(session, 'seccomp', 'confine'),
        confineAndNotify: addonFunction(session, 'seccomp', 'confineAndNotify'),
      },
      options.filterPrograms ?? (() => undefined),
    ),
  );
  if (options.lanes !== undefined) {
    const fdOf = addonFunction(session, 'channel', 'fdOf');
    const close = addonFunction(session, 'channel', 'close');
    const channels = {
      fdOf: (channel: number) => fdOf(channel) as number,
      close: (channel: number) => void close(channel),
    };
    implementations.push(processOf({ ...options.lanes, channels }));
  }
  return implementations;
}
