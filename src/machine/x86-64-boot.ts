import type { ValueOf } from '../hal/contract/codec.js';
import type { GuestAddress } from '../hal/contract/units.js';
import type { generalRegisters, msr, segment, systemRegisters } from '../hal/kvm.js';
import type { EntryPoint } from './platform.js';

export type GeneralRegisters = ValueOf<typeof generalRegisters>;
export type SystemRegisters = ValueOf<typeof systemRegisters>;
export type Segment = ValueOf<typeof segment>;
export type Msr = ValueOf<typeof msr>;

/** Where the boot structures lie; all of them below 0x10000, which no kernel occupies before it has read them. */
export const BOOT_GDT: GuestAddress = 0x500;
export const BOOT_IDT: GuestAddress = 0x520;
export const BOOT_PARAMETERS: GuestAddress = 0x7000;
const BOOT_STACK: GuestAddress = 0x8ff0;
/** PML4, PDPT and four page directories, a page each, one behind the other. */
export const BOOT_PAGE_TABLES: GuestAddress = 0x9000;

const PAGE_BYTES = 4096;
const PAGE_DIRECTORIES = 4;
const ENTRIES_PER_TABLE = 512;
const LARGE_PAGE_SHIFT = 21;
/** Entry bits: present, writable; and for a 2 MiB page its size bit (Intel SDM 3A, 4.5). */
const PRESENT_WRITABLE = 0x3;
const LARGE_PAGE = 0x83;

const CR0_PROTECTION_AND_PAGING = 0x8000_0001n;
const CR4_PAE = 0x20n;
/** Long mode enabled and active. */
const EFER_LME_LMA = 0x500n;
/** The bit of RFLAGS that is always one; interrupts are off. */
const RFLAGS_RESERVED = 2n;

/** Access byte and flags of a segment, as in its descriptor: type, S, DPL, P in bits 0 to 7, AVL, L, D/B, G from 12. */
const CODE_64 = 0xa09b;
const DATA = 0xc093;
const BUSY_TSS = 0x808b;
const SEGMENT_LIMIT = 0xfffff;

/** The low 4 GiB mapped to themselves with 2 MiB pages; to be written at `BOOT_PAGE_TABLES`. */
export function identityPageTables(): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES * (2 + PAGE_DIRECTORIES));
  const view = new DataView(bytes.buffer);
  const pdpt = BOOT_PAGE_TABLES + PAGE_BYTES;
  const put = (table: number, index: number, value: bigint): void =>
    view.setBigUint64(table * PAGE_BYTES + index * 8, value, true);
  put(0, 0, BigInt(pdpt | PRESENT_WRITABLE));
  for (let gib = 0; gib < PAGE_DIRECTORIES; gib++) {
    put(1, gib, BigInt((pdpt + PAGE_BYTES * (1 + gib)) | PRESENT_WRITABLE));
    for (let index = 0; index < ENTRIES_PER_TABLE; index++) {
      const page = BigInt(gib * ENTRIES_PER_TABLE + index);
      put(2 + gib, index, (page << BigInt(LARGE_PAGE_SHIFT)) | BigInt(LARGE_PAGE));
    }
  }
  return bytes;
}

/** Null, code, data and TSS descriptors, and behind them an empty interrupt descriptor (`BOOT_IDT`). */
export function bootDescriptorTables(): Uint8Array {
  const bytes = new Uint8Array(BOOT_IDT - BOOT_GDT + 8);
  const view = new DataView(bytes.buffer);
  [0, CODE_64, DATA, BUSY_TSS].forEach((flags, index) => {
    view.setBigUint64(index * 8, flags === 0 ? 0n : descriptor(flags), true);
  });
  return bytes;
}

/** A descriptor with base 0 and the full limit (Intel SDM 3A, 3.4.5). */
function descriptor(flags: number): bigint {
  const limit = BigInt(SEGMENT_LIMIT);
  const low = limit & 0xffffn;
  const high = (limit >> 16n) & 0xfn;
  return (BigInt(flags) << 40n) | (high << 48n) | low;
}

/** The hidden part of a segment register that was loaded from such a descriptor. */
function loadedSegment(selector: number, flags: number): Segment {
  const bit = (position: number): number => (flags >> position) & 1;
  return {
    base: 0n,
    // G is set in all of them: the limit counts in pages.
    limit: 0xffffffff,
    selector,
    type: flags & 0xf,
    s: bit(4),
    dpl: (flags >> 5) & 3,
    present: bit(7),
    avl: bit(12),
    l: bit(13),
    db: bit(14),
    g: bit(15),
  };
}

/** 64-bit mode on the tables above; what a vCPU has besides (APIC base, LDT) stays as it was. */
export function longModeRegisters(current: SystemRegisters): SystemRegisters {
  const data = loadedSegment(0x10, DATA);
  return {
    ...current,
    cs: loadedSegment(0x08, CODE_64),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr: loadedSegment(0x18, BUSY_TSS),
    gdt: { base: BigInt(BOOT_GDT), limit: 4 * 8 - 1 },
    idt: { base: BigInt(BOOT_IDT), limit: 8 - 1 },
    cr0: CR0_PROTECTION_AND_PAGING,
    cr3: BigInt(BOOT_PAGE_TABLES),
    cr4: CR4_PAE,
    efer: EFER_LME_LMA,
  };
}

export function entryRegisters(entry: EntryPoint): GeneralRegisters {
  return {
    rax: 0n,
    rbx: 0n,
    rcx: 0n,
    rdx: 0n,
    rsi: BigInt(entry.argument),
    rdi: 0n,
    rsp: BigInt(BOOT_STACK),
    rbp: BigInt(BOOT_STACK),
    r8: 0n,
    r9: 0n,
    r10: 0n,
    r11: 0n,
    r12: 0n,
    r13: 0n,
    r14: 0n,
    r15: 0n,
    rip: BigInt(entry.instruction),
    rflags: RFLAGS_RESERVED,
  };
}

const ZEROED_MSRS = {
  timeStampCounter: 0x10,
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  star: 0xc0000081,
  lstar: 0xc0000082,
  cstar: 0xc0000083,
  syscallMask: 0xc0000084,
  kernelGsBase: 0xc0000102,
} as const;
const MSR_MISC_ENABLE = 0x1a0;
const MSR_MTRR_DEFAULT_TYPE = 0x2ff;
const FAST_STRINGS = 1n;
/** MTRRs on, memory is write-back by default. */
const MTRR_WRITE_BACK = (1n << 11n) | 6n;

/** The state that a boot loader leaves behind (as Firecracker sets it). After `Kvm.setCpuid`. */
export function bootMsrs(): readonly Msr[] {
  return [
    ...Object.values(ZEROED_MSRS).map((index) => ({ index, value: 0n })),
    { index: MSR_MISC_ENABLE, value: FAST_STRINGS },
    { index: MSR_MTRR_DEFAULT_TYPE, value: MTRR_WRITE_BACK },
  ];
}
