import { bytes, list, record } from './contract/arrays.js';
import { bool, handle, oneOf, u8, u16, u32, u64 } from './contract/codec.js';
import {
  call,
  defineHal,
  event,
  guestAddress,
  type HalOf,
  sizeInBytes,
} from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { CLOSE, mapShared } from './usual-syscalls.js';

const vm = handle('vm');
const vcpu = handle('vcpu');
const eventfd = handle('eventfd');
const kernelDevice = handle('kernel device');
const ioctl = (request: string) => [syscall('ioctl', { 1: request })];
/** Whoever needs the system first opens it. */
const OPEN_SYSTEM = syscall('openat', { 2: 'O_RDWR|O_CLOEXEC' }, { times: 'optional' });
const ofSystem = (request: string) => [OPEN_SYSTEM, ...ioctl(request)];
const SIGNAL_MASK = syscall('rt_sigprocmask');
/** From 2.35 on pthread_kill(3) lets nothing come between. */
const SIGNAL_MASK_OF_GLIBC = syscall('rt_sigprocmask', {}, { times: 'optional' });

/** One row of a CPUID table (struct kvm_cpuid_entry2). */
export const cpuidEntry = record({
  function: u32,
  index: u32,
  flags: u32,
  eax: u32,
  ebx: u32,
  ecx: u32,
  edx: u32,
});

/** struct kvm_regs of x86_64. */
export const generalRegisters = record({
  rax: u64,
  rbx: u64,
  rcx: u64,
  rdx: u64,
  rsi: u64,
  rdi: u64,
  rsp: u64,
  rbp: u64,
  r8: u64,
  r9: u64,
  r10: u64,
  r11: u64,
  r12: u64,
  r13: u64,
  r14: u64,
  r15: u64,
  rip: u64,
  rflags: u64,
});

/** struct kvm_segment. */
export const segment = record({
  base: u64,
  limit: u32,
  selector: u16,
  type: u8,
  present: u8,
  dpl: u8,
  db: u8,
  s: u8,
  l: u8,
  g: u8,
  avl: u8,
});

const descriptorTable = record({ base: u64, limit: u16 });

/** struct kvm_sregs of x86_64, without the interrupt bitmap (which stays as it is). */
export const systemRegisters = record({
  cs: segment,
  ds: segment,
  es: segment,
  fs: segment,
  gs: segment,
  ss: segment,
  tr: segment,
  ldt: segment,
  gdt: descriptorTable,
  idt: descriptorTable,
  cr0: u64,
  cr2: u64,
  cr3: u64,
  cr4: u64,
  cr8: u64,
  efer: u64,
  apicBase: u64,
});

export const msr = record({ index: u32, value: u64 });

/** Virtual machines (Linux KVM API). A vCPU runs on a native thread; its exits are events that want an answer. */
export const Kvm = defineHal('kvm', {
  /** KVM_CHECK_EXTENSION of the system: 0 means not there. */
  checkExtension: call(
    { capability: u32 },
    { returns: u32, syscalls: ofSystem('KVM_CHECK_EXTENSION') },
  ),
  createVm: call(
    {},
    {
      returns: vm,
      syscalls: [
        OPEN_SYSTEM,
        // How wide guest addresses may be.
        syscall({ aarch64: 'ioctl' }, { 1: 'KVM_CHECK_EXTENSION' }),
        ...ioctl('KVM_CREATE_VM'),
        // Where coalesced writes are.
        ...ioctl('KVM_CHECK_EXTENSION'),
      ],
    },
  ),
  /** Stops every vCPU of it, then closes it and them. */
  closeVm: call(
    { vm },
    {
      syscalls: [
        syscall('munmap', {}, { times: 'any' }),
        syscall('close', {}, { times: 'any' }),
        CLOSE,
      ],
    },
  ),
  /** KVM_SET_TSS_ADDR: three pages of guest address space that KVM uses on Intel. */
  setTssAddress: call({ vm, address: guestAddress }, { syscalls: ioctl('KVM_SET_TSS_ADDR') }),
  setIdentityMapAddress: call(
    { vm, address: guestAddress },
    { syscalls: ioctl('KVM_SET_IDENTITY_MAP_ADDR') },
  ),
  /** The in-kernel PIC, IOAPIC and local APICs. Before the first vCPU. */
  createIrqchip: call({ vm }, { syscalls: ioctl('KVM_CREATE_IRQCHIP') }),
  /** The in-kernel timer, with the dummy speaker port. */
  createPit: call({ vm }, { syscalls: ioctl('KVM_CREATE_PIT2') }),
  /** Lets the guest see `size` bytes of a region at `address`. Size 0 removes the slot. */
  setMemory: call(
    {
      vm,
      slot: u32,
      address: guestAddress,
      size: sizeInBytes,
      region: handle('region'),
      offset: sizeInBytes,
      readOnly: bool,
    },
    { syscalls: ioctl('KVM_SET_USER_MEMORY_REGION') },
  ),
  createVcpu: call(
    { vm, id: u32 },
    {
      returns: vcpu,
      syscalls: [...ofSystem('KVM_GET_VCPU_MMAP_SIZE'), ...ioctl('KVM_CREATE_VCPU'), mapShared()],
    },
  ),
  /** KVM_GET_SUPPORTED_CPUID of the system. */
  supportedCpuid: call(
    {},
    { returns: list(cpuidEntry), syscalls: ofSystem('KVM_GET_SUPPORTED_CPUID') },
  ),
  /** Before `setMsrs` (Firecracker 4681a67f7). */
  setCpuid: call({ vcpu, entries: list(cpuidEntry) }, { syscalls: ioctl('KVM_SET_CPUID2') }),
  getRegisters: call({ vcpu }, { returns: generalRegisters, syscalls: ioctl('KVM_GET_REGS') }),
  /** A vCPU that had halted in the kernel is made runnable: new registers are there to be run. */
  setRegisters: call(
    { vcpu, registers: generalRegisters },
    {
      syscalls: [
        ...ioctl('KVM_SET_REGS'),
        ...ioctl('KVM_GET_MP_STATE'),
        syscall('ioctl', { 1: 'KVM_SET_MP_STATE' }, { times: 'optional' }),
      ],
    },
  ),
  getSystemRegisters: call(
    { vcpu },
    { returns: systemRegisters, syscalls: ioctl('KVM_GET_SREGS') },
  ),
  setSystemRegisters: call(
    { vcpu, registers: systemRegisters },
    { syscalls: [...ioctl('KVM_GET_SREGS'), ...ioctl('KVM_SET_SREGS')] },
  ),
  getMsrs: call(
    { vcpu, indices: list(u32) },
    { returns: list(msr), syscalls: ioctl('KVM_GET_MSRS') },
  ),
  setMsrs: call({ vcpu, msrs: list(msr) }, { syscalls: ioctl('KVM_SET_MSRS') }),
  /** Frequency of the guest's time stamp counter, in kHz. */
  tscKhz: call({ vcpu }, { returns: u32, syscalls: ioctl('KVM_GET_TSC_KHZ') }),
  /** A guest write of `length` bytes (0: any) at the address, with this value if `match` is given, signals it. */
  ioeventfd: call(
    {
      vm,
      eventfd,
      address: guestAddress,
      space: oneOf('mmio', 'pio'),
      length: u8,
      hasMatch: bool,
      match: u32,
      on: bool,
    },
    { syscalls: ioctl('KVM_IOEVENTFD') },
  ),
  /** Signalling the eventfd raises this global system interrupt. */
  irqfd: call({ vm, eventfd, gsi: u32, on: bool }, { syscalls: ioctl('KVM_IRQFD') }),
  setIrqLine: call({ vm, gsi: u32, level: bool }, { syscalls: ioctl('KVM_IRQ_LINE') }),
  /** Guest writes in this range are collected and delivered with the next exit (`coalesced`). */
  coalesce: call(
    { vm, address: guestAddress, size: u32, space: oneOf('mmio', 'pio'), on: bool },
    {
      syscalls: [
        syscall('ioctl', {
          1: ({ on }) => (on ? 'KVM_REGISTER_COALESCED_MMIO' : 'KVM_UNREGISTER_COALESCED_MMIO'),
        }),
      ],
    },
  ),
  /** Starts the vCPU on a thread of its own, which has its own signal mask. */
  run: call(
    { vcpu },
    {
      syscalls: [
        syscall('rt_sigaction', {}, { times: 'optional' }),
        SIGNAL_MASK,
        SIGNAL_MASK,
        syscall('clone3', {}, { instead: [syscall('clone')] }),
        SIGNAL_MASK,
        SIGNAL_MASK,
      ],
    },
  ),
  /** Makes a running vCPU exit (signal and immediate_exit); the exit `stopped` follows. */
  stop: call(
    { vcpu },
    {
      syscalls: [
        SIGNAL_MASK_OF_GLIBC,
        syscall('getpid', {}, { times: 'optional' }),
        syscall('tgkill'),
        SIGNAL_MASK_OF_GLIBC,
      ],
    },
  ),
  /**
   * Answers an exit and lets the vCPU go on. `data` are the bytes of a read, of the length the exit asked for; empty
   * otherwise. With `resume` false the vCPU's thread ends instead.
   */
  complete: call(
    { vcpu, data: bytes, resume: bool },
    {
      answers: {
        event: 'exit',
        key: 'vcpu',
        onFailure: (exit: { vcpu: number; isWrite: boolean; data: Uint8Array }) => ({
          vcpu: exit.vcpu,
          data: exit.isWrite ? new Uint8Array(0) : new Uint8Array(exit.data.length).fill(0xff),
          resume: false,
        }),
      },
    },
  ),
  /**
   * The guest did what only the VMM can answer. For `pio` and `mmio`, `address`, `size` (of one access), `isWrite` and
   * `data` are set: what was written, or as many zero bytes as a read wants (a string instruction has several accesses
   * of `size` bytes). `detail` is KVM's number: the system event's type, the fail-entry reason, the internal suberror,
   * or the exit reason of `other` (2^32 plus the errno if KVM_RUN itself failed).
   */
  exit: event(
    {
      vcpu,
      reason: oneOf(
        'pio',
        'mmio',
        'hlt',
        'shutdown',
        'system-event',
        'fail-entry',
        'internal-error',
        'stopped',
        'other',
      ),
      address: guestAddress,
      size: u8,
      isWrite: bool,
      data: bytes,
      detail: u64,
    },
    { key: 'vcpu' },
  ),
  /** A write from a coalesced or posted range, in order, before the exit that brought it. */
  coalesced: event(
    { vm, space: oneOf('mmio', 'pio'), address: guestAddress, data: bytes },
    { key: 'vm' },
  ),
  /** KVM_ARM_PREFERRED_TARGET: what `initVcpu` of this host's CPU is to be given. arm64 only. */
  preferredTarget: call(
    { vm },
    {
      returns: { target: u32, features: list(u32) },
      syscalls: ioctl('KVM_ARM_PREFERRED_TARGET'),
    },
  ),
  /**
   * KVM_ARM_VCPU_INIT: brings a vCPU into its reset state. `features` are the words of its feature bitmap (at most 7; bit 0
   * of the first: powered off, bit 2: PSCI 0.2). arm64 only, and there before anything else is done with the vCPU.
   */
  initVcpu: call(
    { vcpu, target: u32, features: list(u32) },
    { syscalls: ioctl('KVM_ARM_VCPU_INIT') },
  ),
  /** KVM_GET_ONE_REG of a register of up to 64 bits; the id has its size. */
  getOneRegister: call({ vcpu, id: u64 }, { returns: u64, syscalls: ioctl('KVM_GET_ONE_REG') }),
  setOneRegister: call({ vcpu, id: u64, value: u64 }, { syscalls: ioctl('KVM_SET_ONE_REG') }),
  /** KVM_CREATE_DEVICE: an in-kernel device, such as an interrupt controller of arm64 (KVM_DEV_TYPE_*). It goes with its VM. */
  createDevice: call(
    { vm, type: u32 },
    { returns: kernelDevice, syscalls: ioctl('KVM_CREATE_DEVICE') },
  ),
  /** KVM_SET_DEVICE_ATTR of an attribute that is a 64-bit value, or (`hasValue` false) has none. */
  setDeviceAttribute: call(
    { device: kernelDevice, group: u32, attribute: u64, value: u64, hasValue: bool },
    { syscalls: ioctl('KVM_SET_DEVICE_ATTR') },
  ),
  /**
   * MMIO writes that lie in this range get no answer: the vCPU goes on at once, and `coalesced` tells of them within 20 ms
   * or before the next exit. Of several to one address, with nothing else between them, only the last is told.
   * While much waits to be told they are exits, so that no guest can fill the queue.
   */
  post: call({ vm, address: guestAddress, size: u32, on: bool }, {}),
});
export type Kvm = HalOf<typeof Kvm>;
