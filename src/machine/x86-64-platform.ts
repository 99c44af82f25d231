import type { HalOf } from '../hal/contract/define.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { Kvm } from '../hal/kvm.js';
import { ramRanges, virtioSlot } from './layout.js';
import type { Platform, VcpuSetup } from './platform.js';
import {
  BOOT_GDT,
  BOOT_PAGE_TABLES,
  bootDescriptorTables,
  bootMsrs,
  entryRegisters,
  identityPageTables,
  longModeRegisters,
} from './x86-64-boot.js';
import { vcpuCpuid } from './x86-64-cpuid.js';

/** Three pages that KVM needs on Intel, out of the way of RAM and devices. */
const TSS_ADDRESS: GuestAddress = 0xfffbd000;
const KVM_CAP_TSC_DEADLINE_TIMER = 72;

/** A PC without its PCI bus: in-kernel APICs, and vCPUs in long mode at their first instruction. */
export const X86_64: Platform = {
  layout: { ramRanges, virtioSlot },
  prepareVm: (kvm, vm) => {
    kvm.setTssAddress({ vm, address: TSS_ADDRESS });
    kvm.createIrqchip({ vm });
    kvm.createPit({ vm });
  },
  prepareVcpus: (setup) => {
    const { kvm, mmap, memory, vcpus, boot } = setup;
    setCpuid(setup);
    const [first, ...others] = vcpus;
    const tscKhz = kvm.tscKhz({ vcpu: first });
    const entry = boot.load({ mmap, memory, cpus: vcpus.length, tscKhz });
    memory.write(BOOT_GDT, bootDescriptorTables());
    memory.write(BOOT_PAGE_TABLES, identityPageTables());
    setMsrs(kvm, first);
    const current = kvm.getSystemRegisters({ vcpu: first });
    kvm.setSystemRegisters({ vcpu: first, registers: longModeRegisters(current) });
    kvm.setRegisters({ vcpu: first, registers: entryRegisters(entry) });
    // The others wait for the first one's INIT and SIPI, which the in-kernel APICs see to.
    for (const vcpu of others) setMsrs(kvm, vcpu);
  },
};

/** The table goes in before MSRs are set (Firecracker 4681a67f7). */
function setCpuid({ kvm, vcpus }: VcpuSetup): void {
  const hasTscDeadline = kvm.checkExtension({ capability: KVM_CAP_TSC_DEADLINE_TIMER }) !== 0;
  const supported = kvm.supportedCpuid();
  vcpus.forEach((vcpu, apicId) => {
    const options = { apicId, vcpus: vcpus.length, hasTscDeadline };
    kvm.setCpuid({ vcpu, entries: vcpuCpuid(supported, options) });
  });
}

function setMsrs(kvm: HalOf<typeof Kvm>, vcpu: number): void {
  kvm.setMsrs({ vcpu, msrs: bootMsrs() });
}
