import { Channel } from './channel.js';
import { Clock } from './clock.js';
import { Console } from './console.js';
import type { HalContract } from './contract/define.js';
import { Disk } from './disk.js';
import { Entropy } from './entropy.js';
import { EventFd } from './event-fd.js';
import { HostFiles } from './host-files.js';
import { Kvm } from './kvm.js';
import { MemPressure } from './mem-pressure.js';
import { Mmap } from './mmap.js';
import { Process } from './process.js';
import { Seccomp } from './seccomp.js';

/** Every contract of this package, by name: for its reference pages and for tests that hold for all. */
export const CONTRACTS: readonly HalContract[] = [
  Channel,
  Clock,
  Console,
  Disk,
  Entropy,
  EventFd,
  HostFiles,
  Kvm,
  MemPressure,
  Mmap,
  Process,
  Seccomp,
];
