import type { HalOf } from '../../src/hal/contract/define.js';
import { Kvm } from '../../src/hal/kvm.js';
import { Mmap } from '../../src/hal/mmap.js';
import type { HalSource } from './rig.js';

export const CODE = 0x1000;
export const MEMORY_BYTES = 0x4000;
/** Beyond the memory: an access exits. */
export const DEVICE = 0x9000;
export const PORT = 0x10;
export const NO_DATA = new Uint8Array(0);

const low = (value: number) => value & 0xff;
const high = (value: number) => (value >> 8) & 0xff;

/** 16-bit instructions (Intel SDM, volume 2), as bytes. */
export const asm = {
  dx: (value: number) => [0xba, low(value), high(value)],
  ax: (value: number) => [0xb8, low(value), high(value)],
  cx: (value: number) => [0xb9, low(value), high(value)],
  si: (value: number) => [0xbe, low(value), high(value)],
  di: (value: number) => [0xbf, low(value), high(value)],
  outByte: [0xee],
  outWord: [0xef],
  inByte: [0xec],
  repOutsb: [0xf3, 0x6e],
  repInsb: [0xf3, 0x6c],
  storeAl: (address: number) => [0xa2, low(address), high(address)],
  storeAx: (address: number) => [0xa3, low(address), high(address)],
  loadAx: (address: number) => [0xa1, low(address), high(address)],
  hlt: [0xf4],
  forever: [0xeb, 0xfe],
  /** ud2. In protected mode, with an interrupt table of no entries: a triple fault. */
  undefined: [0x0f, 0x0b],
};

export interface Guest {
  readonly kvm: HalOf<typeof Kvm>;
  readonly mmap: HalOf<typeof Mmap>;
  readonly vm: number;
  readonly vcpu: number;
  readonly region: number;
}

/** A VM with 16 KiB at 0x1000 and one vCPU that starts there, in real mode, with all segments at 0. */
export function makeGuest(rig: HalSource, code: readonly (readonly number[])[]): Guest {
  const [kvm, mmap] = [rig.hal(Kvm), rig.hal(Mmap)];
  const region = mmap.createRegion({ name: 'guest', size: MEMORY_BYTES });
  const vm = kvm.createVm();
  kvm.setMemory({
    vm,
    slot: 0,
    address: CODE,
    size: MEMORY_BYTES,
    region,
    offset: 0,
    readOnly: false,
  });
  mmap.write({ region, offset: 0, data: new Uint8Array(code.flat()) });
  const vcpu = kvm.createVcpu({ vm, id: 0 });
  const guest = { kvm, mmap, vm, vcpu, region };
  jump(guest, CODE);
  return guest;
}

/** Lets the vCPU go on at this address. */
export function jump({ kvm, vcpu }: Guest, address: number): void {
  const system = kvm.getSystemRegisters({ vcpu });
  const cs = { ...system.cs, base: 0n, selector: 0 };
  kvm.setSystemRegisters({ vcpu, registers: { ...system, cs } });
  const general = kvm.getRegisters({ vcpu });
  kvm.setRegisters({ vcpu, registers: { ...general, rip: BigInt(address), rflags: 2n } });
}

/** Byte at an address of the guest. */
export function byteAt({ mmap, region }: Guest, address: number): number {
  const into = new Uint8Array(1);
  mmap.read({ region, offset: address - CODE, into });
  return into[0] as number;
}
