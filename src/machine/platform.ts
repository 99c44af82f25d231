import type { GuestMemory } from '../devices/virtio/guest-memory.js';
import type { HalOf } from '../hal/contract/define.js';
import { UnsupportedError } from '../hal/contract/errors.js';
import type { Architecture } from '../hal/contract/footprint.js';
import type { Bytes, GuestAddress } from '../hal/contract/units.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';
import { ARM64 } from './arm64-platform.js';
import type { GuestBoot } from './guest-boot.js';
import type { MmioSlot, RamRange } from './layout.js';
import { X86_64 } from './x86-64-platform.js';

/** Where an architecture has RAM and devices. */
export interface MachineLayout {
  /** @throws RangeError if RAM of this size cannot be laid out. */
  ramRanges(size: Bytes): readonly RamRange[];
  /** @throws RangeError if there is no such slot. */
  virtioSlot(slot: number): MmioSlot;
}

/** Where the first vCPU starts. The rest of its state is the architecture's boot protocol. */
export interface EntryPoint {
  readonly instruction: GuestAddress;
  /** What a kernel finds in its first argument register: boot parameters, or a device tree. */
  readonly argument: GuestAddress;
}

export interface VcpuSetup {
  readonly kvm: HalOf<typeof Kvm>;
  readonly mmap: HalOf<typeof Mmap>;
  readonly memory: GuestMemory;
  readonly vm: number;
  /** The first one boots, and starts the others. */
  readonly vcpus: readonly [number, ...number[]];
  readonly boot: GuestBoot;
}

/** What differs between architectures when a machine is assembled. */
export interface Platform {
  readonly layout: MachineLayout;
  /** What must be there before the first vCPU. */
  prepareVm(kvm: HalOf<typeof Kvm>, vm: number): void;
  /** Sets the vCPUs up, loads the guest and points the first vCPU at it. */
  prepareVcpus(setup: VcpuSetup): void;
}

/** @throws UnsupportedError for an architecture whose guests cannot be booted yet. */
export function platformOf(architecture: Architecture): Platform {
  if (architecture === 'x86_64') return X86_64;
  if (architecture === 'aarch64') return ARM64;
  throw new UnsupportedError(
    `no guest of architecture ${architecture} can be booted`,
    'Use an x86_64 or aarch64 guest',
  );
}
