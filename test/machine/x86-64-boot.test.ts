import test from 'ava';
import {
  BOOT_GDT,
  BOOT_IDT,
  BOOT_PAGE_TABLES,
  bootDescriptorTables,
  bootMsrs,
  entryRegisters,
  identityPageTables,
  longModeRegisters,
} from '../../src/machine/x86-64-boot.js';
import { RESET_REGISTERS } from './harness.js';

function quad(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset, true);
}

/** Walks the tables as the CPU does (Intel SDM 3A, 4.5.4), for a linear address below 4 GiB. */
function translate(tables: Uint8Array, address: number): bigint {
  const entry = (table: bigint, index: bigint): bigint =>
    quad(tables, Number(table) - BOOT_PAGE_TABLES + Number(index) * 8);
  const linear = BigInt(address);
  const base = (value: bigint): bigint => value & 0x000f_ffff_ffff_f000n;
  const present = (value: bigint): bigint => {
    if ((value & 3n) !== 3n) throw new Error(`not present at ${address}`);
    return value;
  };
  const pml4e = present(entry(BigInt(BOOT_PAGE_TABLES), (linear >> 39n) & 511n));
  const pdpte = present(entry(base(pml4e), (linear >> 30n) & 511n));
  const pde = present(entry(base(pdpte), (linear >> 21n) & 511n));
  if ((pde & 0x80n) === 0n || (pdpte & 0x80n) !== 0n) throw new Error('no 2 MiB page');
  return (pde & 0x000f_ffff_ffe0_0000n) | (linear & 0x1f_ffffn);
}

test('page tables: six pages from 0x9000, entries as the guest ABI says', (t) => {
  const tables = identityPageTables();
  t.is(BOOT_PAGE_TABLES, 0x9000);
  t.is(tables.length, 6 * 4096);
  t.is(quad(tables, 0), 0xa003n);
  t.is(quad(tables, 8), 0n);
  t.is(quad(tables, 0x1000), 0xb003n);
  t.is(quad(tables, 0x1018), 0xe003n);
  t.is(quad(tables, 0x1020), 0n);
  t.is(quad(tables, 0x2000), 0x83n);
  t.is(quad(tables, 0x2008), 0x20_0083n);
  t.is(quad(tables, 0x5ff8), 0xffe0_0083n);
});

test('page tables: every address below 4 GiB is itself, the rest is not mapped', (t) => {
  const tables = identityPageTables();
  for (const address of [
    0,
    0x7000,
    0x100000,
    0x3fffffff,
    0x40000000,
    0xd0000050,
    0xfee00000,
    2 ** 32 - 1,
  ]) {
    t.is(translate(tables, address), BigInt(address));
  }
  t.throws(() => translate(tables, 2 ** 32), { message: /not present/ });
});

test('descriptor tables: null, 64-bit code, data, busy TSS, and an empty interrupt descriptor', (t) => {
  const bytes = bootDescriptorTables();
  t.is(BOOT_GDT, 0x500);
  t.is(BOOT_IDT, 0x520);
  t.is(bytes.length, 40);
  const expected = [0n, 0xaf9b000000ffffn, 0xcf93000000ffffn, 0x8f8b000000ffffn, 0n];
  t.deepEqual(
    expected.map((_, index) => quad(bytes, index * 8)),
    expected,
  );
});

test('system registers: long mode, segments as their descriptors say, the rest kept', (t) => {
  const registers = longModeRegisters(RESET_REGISTERS);
  t.is(registers.cr0, 0x80000001n);
  t.is(registers.cr3, 0x9000n);
  t.is(registers.cr4, 0x20n);
  t.is(registers.efer, 0x500n);
  t.is(registers.apicBase, 0xfee00900n);
  t.deepEqual(registers.ldt, RESET_REGISTERS.ldt);
  t.deepEqual(registers.gdt, { base: 0x500n, limit: 31 });
  t.deepEqual(registers.idt, { base: 0x520n, limit: 7 });
  const common = { base: 0n, limit: 0xffffffff, dpl: 0, present: 1, avl: 0, g: 1 };
  t.deepEqual(registers.cs, { ...common, selector: 8, type: 11, s: 1, l: 1, db: 0 });
  const data = { ...common, selector: 16, type: 3, s: 1, l: 0, db: 1 };
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss'] as const) t.deepEqual(registers[name], data);
  t.deepEqual(registers.tr, { ...common, selector: 24, type: 11, s: 0, l: 0, db: 0 });
});

test('general registers: entry, parameters, stack; interrupts off, the rest zero', (t) => {
  const { rip, rsi, rsp, rbp, rflags, ...rest } = entryRegisters({
    instruction: 0x100000,
    argument: 0x7000,
  });
  t.deepEqual([rip, rsi, rsp, rbp, rflags], [0x100000n, 0x7000n, 0x8ff0n, 0x8ff0n, 2n]);
  t.is(Object.keys(rest).length, 13);
  t.true(Object.values(rest).every((value) => value === 0n));
});

test('MSRs: fast strings, write-back by default, entry points and TSC zero', (t) => {
  const values = new Map(bootMsrs().map(({ index, value }) => [index, value]));
  t.is(values.get(0x1a0), 1n);
  t.is(values.get(0x2ff), 0x806n);
  const zeros = [
    0x10, 0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
  ];
  for (const index of zeros) t.is(values.get(index), 0n);
  t.is(values.size, zeros.length + 2);
});
