import { HalError, UnsupportedError } from '../hal/contract/errors.js';
import { ARM64_INTERRUPT_IDS, ARM64_LAYOUT, GICV2_MAX_CPUS, gicLayout } from './arm64-layout.js';
import type { EntryPoint, Platform, VcpuSetup } from './platform.js';

const ENODEV = 19;

/** KVM_DEV_TYPE_*, KVM_DEV_ARM_VGIC_* and KVM_VGIC_* of the kernel's headers. */
const GIC_DEVICE = { 2: 5, 3: 7 } as const;
const GIC_GROUP = { address: 0, interruptIds: 3, control: 4 } as const;
const GIC_ADDRESS = {
  2: { distributor: 0n, cpus: 1n },
  3: { distributor: 2n, cpus: 3n },
} as const;
const GIC_INITIALISE = 0n;

/** Bits of the first feature word of KVM_ARM_VCPU_INIT. */
const FEATURE_POWER_OFF = 1 << 0;
const FEATURE_PSCI_0_2 = 1 << 2;

/** Register ids: KVM_REG_ARM64 with the size of 64 bits, and a group (core or system registers). */
const REGISTER_64 = 0x6030_0000_0000_0000n;
const coreRegister = (wordsIntoRegs: number): bigint =>
  REGISTER_64 | 0x0010_0000n | BigInt(wordsIntoRegs);
/** In struct user_pt_regs: 31 registers of 8 bytes, then SP, PC and PSTATE. */
const X0 = coreRegister(0);
const PC = coreRegister(64);
const PSTATE = coreRegister(66);
/** Op0 3, Op1 0, CRn 0, CRm 0, Op2 5. */
const MPIDR_EL1 = REGISTER_64 | 0x0013_0000n | 0xc005n;

/** EL1 with its own stack pointer; debug exceptions, SError, IRQ and FIQ masked, as a kernel wants to begin. */
const PSTATE_EL1H_MASKED = 0x3c5n;
/** Affinity 0 to 2; a guest of at most 64 CPUs has no more. */
const AFFINITY = 0xff_ffffn;

/** An arm64 machine as Linux expects of "dummy-virt": a GIC, PSCI, and what its device tree says. */
export const ARM64: Platform = {
  layout: ARM64_LAYOUT,
  prepareVm: () => {},
  prepareVcpus: (setup) => {
    const { kvm, mmap, memory, vcpus, boot } = setup;
    initVcpus(setup);
    const gicVersion = createInterruptController(setup);
    const cpuIds = vcpus.map((vcpu) =>
      Number(kvm.getOneRegister({ vcpu, id: MPIDR_EL1 }) & AFFINITY),
    );
    const cpus = vcpus.length;
    pointAt(setup, boot.load({ mmap, memory, cpus, gicVersion, cpuIds }));
  },
};

/** All but the first are off until the first turns them on, by PSCI. */
function initVcpus({ kvm, vm, vcpus }: VcpuSetup): void {
  const { target, features } = kvm.preferredTarget({ vm });
  const [word = 0, ...rest] = features;
  vcpus.forEach((vcpu, index) => {
    const first = word | FEATURE_PSCI_0_2 | (index === 0 ? 0 : FEATURE_POWER_OFF);
    kvm.initVcpu({ vcpu, target, features: [first, ...rest] });
  });
}

/** Version 3, or what a host with an older controller has. Initialised after the vCPUs are there. */
function createInterruptController(setup: VcpuSetup): 2 | 3 {
  const { kvm, vcpus } = setup;
  const { version, device } = createGic(setup);
  const { distributor, cpus } = gicLayout(version, vcpus.length);
  const set = (group: number, attribute: bigint, value: number): void =>
    kvm.setDeviceAttribute({ device, group, attribute, value: BigInt(value), hasValue: true });
  set(GIC_GROUP.address, GIC_ADDRESS[version].distributor, distributor.address);
  set(GIC_GROUP.address, GIC_ADDRESS[version].cpus, cpus.address);
  set(GIC_GROUP.interruptIds, 0n, ARM64_INTERRUPT_IDS);
  const initialise = { group: GIC_GROUP.control, attribute: GIC_INITIALISE };
  kvm.setDeviceAttribute({ device, ...initialise, value: 0n, hasValue: false });
  return version;
}

function createGic({ kvm, vm, vcpus }: VcpuSetup): { version: 2 | 3; device: number } {
  try {
    return { version: 3, device: kvm.createDevice({ vm, type: GIC_DEVICE[3] }) };
  } catch (error) {
    if (!HalError.is(error) || error.errno !== ENODEV) throw error;
  }
  if (vcpus.length > GICV2_MAX_CPUS) {
    throw new UnsupportedError(
      `this host has a GICv2, which knows no more than ${GICV2_MAX_CPUS} vCPUs, not ${vcpus.length}`,
      'Give the guest fewer (--cpus)',
    );
  }
  return { version: 2, device: kvm.createDevice({ vm, type: GIC_DEVICE[2] }) };
}

function pointAt({ kvm, vcpus: [vcpu] }: VcpuSetup, entry: EntryPoint): void {
  kvm.setOneRegister({ vcpu, id: PSTATE, value: PSTATE_EL1H_MASKED });
  kvm.setOneRegister({ vcpu, id: PC, value: BigInt(entry.instruction) });
  kvm.setOneRegister({ vcpu, id: X0, value: BigInt(entry.argument) });
}
