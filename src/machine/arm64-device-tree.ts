import type { RamPart } from '../devices/virtio/guest-memory.js';
import { ARM64_SERIAL, ARM64_SERIAL_BYTES, gicLayout } from './arm64-layout.js';
import {
  type DeviceTreeNode,
  type DeviceTreeValue,
  flattenDeviceTree,
  wide,
} from './device-tree.js';
import { type MmioSlot, VIRTIO_MMIO_SLOT_BYTES } from './layout.js';
import type { LoadedInitrd } from './linux-guest.js';

export interface Arm64Hardware {
  readonly ram: readonly Pick<RamPart, 'address' | 'size'>[];
  /** Of each CPU, its affinity as MPIDR_EL1 has it. */
  readonly cpuIds: readonly number[];
  readonly gicVersion: 2 | 3;
  readonly virtio: readonly MmioSlot[];
  readonly commandLine: string;
  readonly initrd: LoadedInitrd | undefined;
  /** Randomness for the kernel, which it has no other source of so early. */
  readonly rngSeed: Uint8Array | undefined;
}

const GIC_HANDLE = 1;
const CLOCK_HANDLE = 2;
const CLOCK_HZ = 24_000_000;

/** The cells of an interrupt (bindings/interrupt-controller/arm,gic.yaml): kind, number, trigger. */
const SHARED = 0;
const PRIVATE = 1;
const EDGE_RISING = 1;
const LEVEL_HIGH = 4;

/** Private interrupts, counted from the first of their kind (id 16). */
const MAINTENANCE = 9;
/** Secure, non-secure, virtual and hypervisor timer. */
const TIMERS = [13, 14, 11, 10];

/** Describes the machine to an arm64 kernel, which knows of nothing but what is in here. */
export function arm64DeviceTree(hardware: Arm64Hardware): Uint8Array {
  return flattenDeviceTree({
    name: '',
    properties: {
      compatible: 'linux,dummy-virt',
      '#address-cells': [2],
      '#size-cells': [2],
      'interrupt-parent': [GIC_HANDLE],
    },
    children: [
      cpus(hardware),
      ...hardware.ram.map(memory),
      chosen(hardware),
      interruptController(hardware),
      timer(),
      clock(),
      { name: 'psci', properties: { compatible: 'arm,psci-0.2', method: 'hvc' } },
      serial(),
      ...hardware.virtio.map(virtio),
    ],
  });
}

function at(name: string, address: number): string {
  return `${name}@${address.toString(16)}`;
}

function cpus({ cpuIds }: Arm64Hardware): DeviceTreeNode {
  const children = cpuIds.map((id) => ({
    name: at('cpu', id),
    properties: {
      device_type: 'cpu',
      compatible: 'arm,armv8',
      'enable-method': 'psci',
      reg: [id],
    },
  }));
  return { name: 'cpus', properties: { '#address-cells': [1], '#size-cells': [0] }, children };
}

function memory({ address, size }: Pick<RamPart, 'address' | 'size'>): DeviceTreeNode {
  const reg = [...wide(address), ...wide(size)];
  return { name: at('memory', address), properties: { device_type: 'memory', reg } };
}

function chosen({ commandLine, initrd, rngSeed }: Arm64Hardware): DeviceTreeNode {
  const properties: Record<string, DeviceTreeValue> = {
    bootargs: commandLine,
    'stdout-path': `/${at('serial', ARM64_SERIAL.address)}`,
  };
  if (initrd !== undefined) {
    properties['linux,initrd-start'] = wide(initrd.address);
    properties['linux,initrd-end'] = wide(initrd.address + initrd.size);
  }
  if (rngSeed !== undefined) properties['rng-seed'] = rngSeed;
  return { name: 'chosen', properties };
}

function interruptController({ gicVersion, cpuIds }: Arm64Hardware): DeviceTreeNode {
  const { distributor, cpus: cpuWindow } = gicLayout(gicVersion, cpuIds.length);
  const window = ({ address, size }: typeof distributor) => [...wide(address), ...wide(size)];
  return {
    name: at('intc', distributor.address),
    properties: {
      compatible: gicVersion === 3 ? 'arm,gic-v3' : 'arm,gic-400',
      '#interrupt-cells': [3],
      '#address-cells': [0],
      'interrupt-controller': true,
      reg: [...window(distributor), ...window(cpuWindow)],
      interrupts: [PRIVATE, MAINTENANCE, LEVEL_HIGH],
      phandle: [GIC_HANDLE],
    },
  };
}

function timer(): DeviceTreeNode {
  return {
    name: 'timer',
    properties: {
      compatible: 'arm,armv8-timer',
      interrupts: TIMERS.flatMap((number) => [PRIVATE, number, LEVEL_HIGH]),
      'always-on': true,
    },
  };
}

function clock(): DeviceTreeNode {
  return {
    name: 'apb-pclk',
    properties: {
      compatible: 'fixed-clock',
      '#clock-cells': [0],
      'clock-frequency': [CLOCK_HZ],
      'clock-output-names': 'clk24mhz',
      phandle: [CLOCK_HANDLE],
    },
  };
}

function serial(): DeviceTreeNode {
  const { address, gsi } = ARM64_SERIAL;
  return {
    name: at('serial', address),
    properties: {
      compatible: 'ns16550a',
      reg: [...wide(address), ...wide(ARM64_SERIAL_BYTES)],
      interrupts: [SHARED, gsi, EDGE_RISING],
      clocks: [CLOCK_HANDLE],
      'clock-names': 'apb_pclk',
    },
  };
}

function virtio({ address, gsi }: MmioSlot): DeviceTreeNode {
  return {
    name: at('virtio_mmio', address),
    properties: {
      compatible: 'virtio,mmio',
      reg: [...wide(address), ...wide(VIRTIO_MMIO_SLOT_BYTES)],
      interrupts: [SHARED, gsi, EDGE_RISING],
      'dma-coherent': true,
    },
  };
}
