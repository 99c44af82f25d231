import type { GuestMemory } from '../devices/virtio/guest-memory.js';
import type { Architecture, HalOf } from '../hal/contract/define.js';
import { UnsupportedError } from '../hal/contract/errors.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';
import {
  BOOT_GDT,
  BOOT_PAGE_TABLES,
  bootDescriptorTables,
  bootMsrs,
  type EntryPoint,
  entryRegisters,
  identityPageTables,
  longModeRegisters,
} from './x86-64-boot.js';
import { vcpuCpuid } from './x86-64-cpuid.js';

/** Three pages that KVM needs on Intel, out of the way of RAM and devices. */
const TSS_ADDRESS: GuestAddress = 0xfffbd000;
const KVM_CAP_TSC_DEADLINE_TIMER = 72;

/** What a guest finds in memory before its first instruction. */
export interface BootContext {
  readonly mmap: HalOf<typeof Mmap>;
  readonly memory: GuestMemory;
  /** Frequency of the guest's time stamp counter. */
  readonly tscKhz: number;
}

/** One way to boot: puts image and parameters into memory and says where to start. */
export interface GuestBoot {
  /** A port of one byte whose write ends the guest, with the byte as its exit code. */
  readonly exitPort?: GuestAddress;
  load(context: BootContext): EntryPoint;
}

export interface VcpuSetup {
  readonly kvm: HalOf<typeof Kvm>;
  readonly mmap: HalOf<typeof Mmap>;
  readonly memory: GuestMemory;
  readonly vcpu: number;
  readonly boot: GuestBoot;
}

/** What differs between architectures when a machine is assembled. */
export interface Platform {
  /** Interrupt controllers and the like: before the first vCPU. */
  prepareVm(kvm: HalOf<typeof Kvm>, vm: number): void;
  /** Loads the guest and points the one vCPU at it. */
  prepareVcpu(setup: VcpuSetup): void;
}

/** @throws UnsupportedError for an architecture whose guests cannot be booted yet. */
export function platformOf(architecture: Architecture): Platform {
  if (architecture === 'x86_64') return X86_64;
  throw new UnsupportedError(
    `no guest of architecture ${architecture} can be booted`,
    'Use an x86_64 guest',
  );
}

const X86_64: Platform = {
  prepareVm: (kvm, vm) => {
    kvm.setTssAddress({ vm, address: TSS_ADDRESS });
    kvm.createIrqchip({ vm });
    kvm.createPit({ vm });
  },
  prepareVcpu: ({ kvm, mmap, memory, vcpu, boot }) => {
    const hasTscDeadline = kvm.checkExtension({ capability: KVM_CAP_TSC_DEADLINE_TIMER }) !== 0;
    const entries = vcpuCpuid(kvm.supportedCpuid(), { apicId: 0, vcpus: 1, hasTscDeadline });
    kvm.setCpuid({ vcpu, entries });
    const entry = boot.load({ mmap, memory, tscKhz: kvm.tscKhz({ vcpu }) });
    memory.write(BOOT_GDT, bootDescriptorTables());
    memory.write(BOOT_PAGE_TABLES, identityPageTables());
    kvm.setMsrs({ vcpu, msrs: bootMsrs() });
    const current = kvm.getSystemRegisters({ vcpu });
    kvm.setSystemRegisters({ vcpu, registers: longModeRegisters(current) });
    kvm.setRegisters({ vcpu, registers: entryRegisters(entry) });
  },
};
