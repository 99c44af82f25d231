import type { GuestMemory } from '../devices/virtio/guest-memory.js';
import type { Console } from '../hal/console.js';
import type { HalOf } from '../hal/contract/define.js';
import type { EventFd } from '../hal/event-fd.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';
import type { EventSource } from '../reactor/reactor.js';
import type { Bus } from './bus.js';
import type { EntryPoint } from './platform.js';
import type { VmEnd } from './vm-end.js';

/** What a guest finds in memory before its first instruction depends on these. */
export interface BootContext {
  readonly mmap: HalOf<typeof Mmap>;
  readonly memory: GuestMemory;
  readonly cpus: number;
  /** Frequency of the guest's time stamp counter; x86_64 only. */
  readonly tscKhz?: number;
  /** The version of its interrupt controller; arm64 only. */
  readonly gicVersion?: 2 | 3;
  /** How the vCPUs call themselves (MPIDR_EL1's affinity); arm64 only. */
  readonly cpuIds?: readonly number[];
}

/** The hardware that a machine is made of. */
export interface MachineHal {
  readonly kvm: HalOf<typeof Kvm>;
  readonly mmap: HalOf<typeof Mmap>;
  readonly eventFd: HalOf<typeof EventFd>;
  readonly console: HalOf<typeof Console>;
}

/** What a guest's own devices may use. */
export interface BoardContext {
  readonly hal: MachineHal;
  readonly events: EventSource;
  readonly vm: number;
  readonly bus: Bus;
  readonly memory: GuestMemory;
  /** Each line of the guest's console, without its newline. */
  readonly onLine: ((line: string) => void) | undefined;
  /** Notes what must be closed with the machine. */
  readonly own: (close: () => void) => void;
  /** Ends the machine. */
  readonly finish: (end: VmEnd) => void;
}

/** What stays of them. */
export interface Board {
  /** Types on the guest's console. Missing where the guest reads none. */
  type?(data: Uint8Array): void;
  /** Shows what of the console was not shown yet, and listens no more. */
  close(): void;
  /** Why the machine really ends, when KVM says so; undefined takes KVM's word. */
  readonly reasonOf?: ((end: VmEnd) => VmEnd) | undefined;
}

/** One way to boot: what is on the board beside virtio devices, what is in memory, and where to start. */
export interface GuestBoot {
  /** Puts the console and what else this guest expects on the bus. */
  attach(context: BoardContext): Board;
  /** Puts image and parameters into memory. */
  load(context: BootContext): EntryPoint;
}
