import type { HalOf } from '../hal/contract/define.js';
import type { Kvm } from '../hal/kvm.js';
import type { Mmap } from '../hal/mmap.js';

// Where boot structures lie; native/guest/guest_abi.h has the same.
export const BOOT_PARAMS_ADDRESS = 0x7000;
export const IMAGE_ADDRESS = 0x10_0000;
const GDT_ADDRESS = 0x500;
const BOOT_STACK = 0x8ff0;
const PML4_ADDRESS = 0x9000;
const PDPT_ADDRESS = 0xa000;
const PD_ADDRESS = 0xb000;
const IDENTITY_GIB = 4;

// Intel SDM volume 3, 4.5: page-table entries.
const PRESENT_WRITABLE = 0x3;
const LARGE_PAGE = 0x80;
const LARGE_PAGE_BYTES = 0x20_0000;
const ENTRIES = 512;

// Segment descriptors, as 16 bits of access and flags.
const CODE_FLAGS = 0xa09b;
const DATA_FLAGS = 0xc093;
const TSS_FLAGS = 0x808b;

const CR0_PE_PG = 0x8000_0001n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;
const RFLAGS_RESERVED = 2n;

/** A GDT entry (SDM volume 3, 3.4.5) of base 0 and limit 0xfffff. */
function descriptor(flags: number): bigint {
  const low = 0xffffn;
  const access = BigInt(flags & 0xff) << 40n;
  const limitHigh = 0xfn << 48n;
  const granularity = BigInt((flags >> 12) & 0xf) << 52n;
  return low | access | limitHigh | granularity;
}

export function gdt(): Uint8Array {
  const table = new BigUint64Array([
    0n,
    descriptor(CODE_FLAGS),
    descriptor(DATA_FLAGS),
    descriptor(TSS_FLAGS),
  ]);
  return new Uint8Array(table.buffer);
}

/** PML4, PDPT and page directories that map the low 4 GiB to themselves in pages of 2 MiB. */
export function identityPageTables(): Uint8Array {
  const tables = new Uint8Array((2 + IDENTITY_GIB) * 4096);
  const view = new DataView(tables.buffer);
  const entry = (table: number, index: number, value: number) => {
    const at = table - PML4_ADDRESS + index * 8;
    view.setUint32(at, value >>> 0, true);
    view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  };
  entry(PML4_ADDRESS, 0, PDPT_ADDRESS + PRESENT_WRITABLE);
  for (let gib = 0; gib < IDENTITY_GIB; gib++) {
    const directory = PD_ADDRESS + gib * 4096;
    entry(PDPT_ADDRESS, gib, directory + PRESENT_WRITABLE);
    for (let index = 0; index < ENTRIES; index++) {
      const page = (gib * ENTRIES + index) * LARGE_PAGE_BYTES;
      entry(directory, index, page + LARGE_PAGE + PRESENT_WRITABLE);
    }
  }
  return tables;
}

/** Writes GDT and page tables into the region that holds the guest's lowest RAM. */
export function writeBootTables(mmap: HalOf<typeof Mmap>, region: number): void {
  mmap.write({ region, offset: GDT_ADDRESS, data: gdt() });
  mmap.write({ region, offset: PML4_ADDRESS, data: identityPageTables() });
}

function segment(selector: number, flags: number, isSystem = false) {
  return {
    base: 0n,
    limit: 0xffff_ffff,
    selector,
    type: flags & 0xf,
    s: isSystem ? 0 : (flags >> 4) & 1,
    dpl: (flags >> 5) & 3,
    present: (flags >> 7) & 1,
    avl: (flags >> 12) & 1,
    l: (flags >> 13) & 1,
    db: (flags >> 14) & 1,
    g: (flags >> 15) & 1,
  };
}

/** Puts a vCPU into long mode at the image's first byte, with the boot parameters' address in RSI. */
export function setBootRegisters(kvm: HalOf<typeof Kvm>, vcpu: number): void {
  const data = segment(0x10, DATA_FLAGS);
  kvm.setSystemRegisters({
    vcpu,
    registers: {
      ...kvm.getSystemRegisters({ vcpu }),
      cs: segment(0x08, CODE_FLAGS),
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ss: data,
      tr: segment(0x18, TSS_FLAGS, true),
      gdt: { base: BigInt(GDT_ADDRESS), limit: gdt().length - 1 },
      cr0: CR0_PE_PG,
      cr3: BigInt(PML4_ADDRESS),
      cr4: CR4_PAE,
      efer: EFER_LME_LMA,
    },
  });
  kvm.setRegisters({
    vcpu,
    registers: {
      ...kvm.getRegisters({ vcpu }),
      rip: BigInt(IMAGE_ADDRESS),
      rsi: BigInt(BOOT_PARAMS_ADDRESS),
      rsp: BigInt(BOOT_STACK),
      rbp: BigInt(BOOT_STACK),
      rflags: RFLAGS_RESERVED,
    },
  });
}
