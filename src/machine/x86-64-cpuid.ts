import type { ValueOf } from '../hal/contract/codec.js';
import type { cpuidEntry } from '../hal/kvm.js';

export type CpuidEntry = ValueOf<typeof cpuidEntry>;

export interface CpuidOptions {
  readonly apicId: number;
  /** How many vCPUs the machine has. */
  readonly vcpus: number;
  /** KVM emulates the TSC-deadline timer (KVM_CAP_TSC_DEADLINE_TIMER); it does not say so in its table. */
  readonly hasTscDeadline: boolean;
}

const LEAF_FEATURES = 0x1;
const LEAF_TOPOLOGY = 0xb;
const LEAF_TOPOLOGY_V2 = 0x1f;

/** Units of 8 bytes. */
const CLFLUSH_LINE = 8;
const ECX_TSC_DEADLINE = 1 << 24;
const ECX_HYPERVISOR = 1 << 31;
const EDX_HTT = 1 << 28;
/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX: the entry answers for its own index of ECX only. */
const SIGNIFICANT_INDEX = 1;
const LEVEL_THREAD = 1 << 8;
const LEVEL_CORE = 2 << 8;

/**
 * What one vCPU shall see of the table that KVM supports: its own APIC id, and one thread per core. Host topology leaves
 * are replaced, because they describe the host's cores; all others stay, those from 0x40000000 on (kvmclock) too.
 */
export function vcpuCpuid(
  supported: readonly CpuidEntry[],
  options: CpuidOptions,
): readonly CpuidEntry[] {
  const hasTopology = supported.some((entry) => entry.function === LEAF_TOPOLOGY);
  const kept = supported
    .filter(({ function: leaf }) => leaf !== LEAF_TOPOLOGY && leaf !== LEAF_TOPOLOGY_V2)
    .map((entry) => (entry.function === LEAF_FEATURES ? featureLeaf(entry, options) : entry));
  return hasTopology ? [...kept, ...topologyLeaf(options)] : kept;
}

function featureLeaf(entry: CpuidEntry, options: CpuidOptions): CpuidEntry {
  const { apicId, vcpus, hasTscDeadline } = options;
  const brand = entry.ebx & 0xff;
  const deadline = hasTscDeadline ? ECX_TSC_DEADLINE : 0;
  return {
    ...entry,
    ebx: ((apicId << 24) | (vcpus << 16) | (CLFLUSH_LINE << 8) | brand) >>> 0,
    ecx: (entry.ecx | deadline | ECX_HYPERVISOR) >>> 0,
    edx: (vcpus > 1 ? entry.edx | EDX_HTT : entry.edx & ~EDX_HTT) >>> 0,
  };
}

/** Extended topology (Intel SDM 2A, CPUID leaf 0BH): a thread level and a core level. */
function topologyLeaf({ apicId, vcpus }: CpuidOptions): readonly CpuidEntry[] {
  const level = (index: number, eax: number, ebx: number, type: number): CpuidEntry => ({
    function: LEAF_TOPOLOGY,
    index,
    flags: SIGNIFICANT_INDEX,
    eax,
    ebx,
    ecx: index | type,
    edx: apicId,
  });
  return [level(0, 0, 1, LEVEL_THREAD), level(1, Math.ceil(Math.log2(vcpus)), vcpus, LEVEL_CORE)];
}
