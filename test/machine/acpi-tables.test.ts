import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { acpiTables, SLEEP_TYPE_OFF } from '../../src/machine/acpi-tables.js';
import { virtioSlot } from '../../src/machine/layout.js';
import { PC_POWER_PORTS, PC_SERIAL } from '../../src/machine/pc-board.js';

const BASE = 0xe0000;

function tablesOf(cpus: number, slots: number) {
  const virtio = Array.from({ length: slots }, (_, slot) => virtioSlot(slot));
  return acpiTables(BASE, { cpus, virtio, serial: PC_SERIAL, power: PC_POWER_PORTS });
}

const sum = (bytes: Uint8Array): number => bytes.reduce((all, byte) => all + byte, 0) & 0xff;

/** Follows the pointers as a guest does: RSDP, XSDT, the tables, and from the FADT the DSDT. */
function walk(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (address: bigint): Uint8Array => {
    const offset = Number(address) - BASE;
    return bytes.subarray(offset, offset + view.getUint32(offset + 4, true));
  };
  const signature = (table: Uint8Array): string => Buffer.from(table.subarray(0, 4)).toString();
  const found = new Map<string, Uint8Array>([['RSDP', bytes.subarray(0, 36)]]);
  const xsdt = at(view.getBigUint64(24, true));
  found.set(signature(xsdt), xsdt);
  const entries = new DataView(xsdt.buffer, xsdt.byteOffset, xsdt.byteLength);
  for (let offset = 36; offset < xsdt.length; offset += 8) {
    const table = at(entries.getBigUint64(offset, true));
    found.set(signature(table), table);
  }
  const fadt = found.get('FACP') as Uint8Array;
  const dsdt = at(new DataView(fadt.buffer, fadt.byteOffset).getBigUint64(140, true));
  found.set(signature(dsdt), dsdt);
  return found;
}

test('whatever the machine, a guest finds five whole tables with right checksums', (t) => {
  const sizes = fc.record({
    cpus: fc.integer({ min: 1, max: 64 }),
    slots: fc.integer({ min: 0, max: 19 }),
  });
  fc.assert(
    fc.property(sizes, ({ cpus, slots }) => {
      const tables = walk(tablesOf(cpus, slots).bytes);
      t.deepEqual([...tables.keys()].sort(), ['APIC', 'DSDT', 'FACP', 'RSDP', 'XSDT']);
      for (const table of tables.values()) t.is(sum(table), 0);
      t.is(sum((tables.get('RSDP') as Uint8Array).subarray(0, 20)), 0);
    }),
    { numRuns: 60 },
  );
});

test('the tables fit between the EBDA and 1 MiB with every slot taken and 64 vCPUs', (t) => {
  t.true(tablesOf(64, 19).bytes.length < 0x100000 - BASE);
});

const hasIasl = spawnSync('iasl', ['-v']).status === 0;
const iasl = hasIasl ? test : test.skip;
const why = hasIasl ? '' : ' (skipped: iasl, of the package acpica-tools, is not installed)';

/** What Intel's compiler reads out of a table. */
function disassemble(folder: string, name: string, table: Uint8Array) {
  writeFileSync(join(folder, `${name}.dat`), table);
  const { status, stderr } = spawnSync('iasl', ['-d', `${name}.dat`], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stderr, text: readFileSync(join(folder, `${name}.dsl`), 'utf8') };
}

iasl(`iasl reads the tables as they are meant${why}`, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-acpi-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const tables = walk(tablesOf(3, 18).bytes);
  const read = (name: string): string => {
    const { status, stderr, text } = disassemble(folder, name, tables.get(name) as Uint8Array);
    t.is(status, 0, stderr);
    t.notRegex(stderr, /error|warning|invalid/i);
    return text;
  };
  const dsdt = read('DSDT');
  t.is(dsdt.match(/"LNRO0005"/g)?.length, 18);
  t.regex(
    dsdt,
    /Device \(VR11\)[\s\S]*0xD0011000,[\s\S]*Edge, ActiveHigh, Exclusive[\s\S]*0x00000016,/,
  );
  t.regex(dsdt, /EisaId \("PNP0501"\)[\s\S]*0x03F8,[\s\S]*0x08,[\s\S]*IRQNoFlags \(\)\s*\{4\}/);
  t.regex(dsdt, /Name \(\\_S5, Package \(0x04\)[^{]*\{\s*0x05,/);
  const madt = read('APIC');
  t.is(madt.match(/Processor Local APIC\]/g)?.length, 3);
  t.regex(madt, /I\/O APIC\][\s\S]*Address : FEC00000/);
  const fadt = read('FACP');
  t.regex(fadt, /Hardware Reduced \(V5\) : 1/);
  t.regex(fadt, /8042 Present on ports 60\/64 \(V2\) : 0/);
  t.regex(fadt, /Sleep Control Register[\s\S]*Address : 0000000000000600/);
  t.regex(fadt, /Reset Register[\s\S]*Address : 0000000000000602/);
  read('XSDT');
  t.is(SLEEP_TYPE_OFF, 5);
});

iasl(`iasl assembles what it read into the same bytes${why}`, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-acpi-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const dsdt = walk(tablesOf(1, 2).bytes).get('DSDT') as Uint8Array;
  disassemble(folder, 'DSDT', dsdt);
  const { status, stdout } = spawnSync('iasl', ['-oa', '-p', 'again', 'DSDT.dsl'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stdout);
  const again = readFileSync(join(folder, 'again.aml'));
  // Behind the header, which names the compiler.
  t.deepEqual(new Uint8Array(again.subarray(36)), dsdt.slice(36));
});
