import type { Bytes, GuestAddress } from '../hal/contract/units.js';
import * as aml from './aml.js';
import { type MmioSlot, VIRTIO_MMIO_SLOT_BYTES } from './layout.js';

/** What the tables describe. */
export interface AcpiMachine {
  readonly cpus: number;
  /** One for each virtio-mmio device. */
  readonly virtio: readonly MmioSlot[];
  readonly serial: { readonly firstPort: number; readonly irq: number };
  readonly power: PowerPorts;
}

/** I/O ports of one byte each. */
export interface PowerPorts {
  /** SLEEP_CONTROL_REG: SLP_EN is bit 5, SLP_TYP bits 2 to 4. */
  readonly sleepControl: number;
  readonly sleepStatus: number;
  /** RESET_REG. */
  readonly reset: number;
  readonly resetValue: number;
}

/** Tables as they are to lie in memory. */
export interface AcpiTables {
  /** Where the guest finds the first of them, the RSDP. */
  readonly rsdp: GuestAddress;
  readonly bytes: Uint8Array;
}

const LOCAL_APIC: GuestAddress = 0xfee00000;
const IO_APIC: GuestAddress = 0xfec00000;
/** SLP_TYP of S5, soft off. */
export const SLEEP_TYPE_OFF = 5;

const HEADER_BYTES = 36;
const RSDP_BYTES = 36;
const FADT_BYTES = 276;
const ALIGNMENT = 16;
const OEM_ID = 'HALYRD';
const OEM_TABLE_ID = 'HALYARD ';
const CREATOR_ID = 'HLYD';
const SYSTEM_IO = 1;

/**
 * RSDP, XSDT, FADT, MADT and DSDT (ACPI 6.4, 5.2) for a machine of the hardware-reduced kind, one behind the other from
 * `base` on.
 */
export function acpiTables(base: GuestAddress, machine: AcpiMachine): AcpiTables {
  const parts: { address: GuestAddress; bytes: Uint8Array }[] = [];
  let end = base + RSDP_BYTES;
  const place = (bytes: Uint8Array): GuestAddress => {
    const address = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    parts.push({ address, bytes });
    end = address + bytes.length;
    return address;
  };
  const dsdt = place(dsdtOf(machine));
  const tables = [place(fadtOf(dsdt, machine.power)), place(madtOf(machine.cpus))];
  const xsdt = place(xsdtOf(tables));
  parts.push({ address: base, bytes: rsdpOf(xsdt) });
  const bytes = new Uint8Array(end - base);
  for (const part of parts) bytes.set(part.bytes, part.address - base);
  return { rsdp: base, bytes };
}

/** 5.2.6: the header that all tables but the RSDP begin with, and the checksum over all of it. */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  text(bytes, 0, signature);
  view.setUint32(4, bytes.length, true);
  view.setUint8(8, revision);
  text(bytes, 10, OEM_ID);
  text(bytes, 16, OEM_TABLE_ID);
  view.setUint32(24, 1, true);
  text(bytes, 28, CREATOR_ID);
  view.setUint32(32, 1, true);
  bytes.set(body, HEADER_BYTES);
  bytes[9] = checksum(bytes);
  return bytes;
}

/** What makes all bytes add up to 0. */
function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function text(bytes: Uint8Array, offset: Bytes, value: string): void {
  for (let index = 0; index < value.length; index++)
    bytes[offset + index] = value.charCodeAt(index);
}

function put64(view: DataView, offset: Bytes, value: number): void {
  view.setUint32(offset, value % 2 ** 32, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** 5.2.5.3. The first checksum is over the part that revision 0 had. */
function rsdpOf(xsdt: GuestAddress): Uint8Array {
  const bytes = new Uint8Array(RSDP_BYTES);
  const view = new DataView(bytes.buffer);
  text(bytes, 0, 'RSD PTR ');
  text(bytes, 9, OEM_ID);
  view.setUint8(15, 2);
  view.setUint32(20, RSDP_BYTES, true);
  put64(view, 24, xsdt);
  bytes[8] = checksum(bytes.subarray(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}

function xsdtOf(tables: readonly GuestAddress[]): Uint8Array {
  const body = new Uint8Array(tables.length * 8);
  const view = new DataView(body.buffer);
  for (const [index, address] of tables.entries()) put64(view, index * 8, address);
  return table('XSDT', 1, body);
}

/** Boot architecture flags: no VGA, no CMOS clock; and no 8042 nor legacy devices, since their bits are 0. */
const NO_VGA_NO_CMOS = (1 << 2) | (1 << 5);
/** WBINVD works; power and sleep buttons are no fixed hardware; RESET_REG is there; hardware-reduced. */
const FADT_FLAGS = 1 | (1 << 4) | (1 << 5) | (1 << 10) | (1 << 20);

/** 5.2.9, revision 6.3; offsets are those of the whole table. */
function fadtOf(dsdt: GuestAddress, power: PowerPorts): Uint8Array {
  const body = new Uint8Array(FADT_BYTES - HEADER_BYTES);
  const view = new DataView(body.buffer);
  const at = (offset: Bytes): Bytes => offset - HEADER_BYTES;
  view.setUint16(at(109), NO_VGA_NO_CMOS, true);
  view.setUint32(at(112), FADT_FLAGS, true);
  portRegister(view, at(116), power.reset);
  view.setUint8(at(128), power.resetValue);
  view.setUint8(at(131), 3);
  put64(view, at(140), dsdt);
  portRegister(view, at(244), power.sleepControl);
  portRegister(view, at(256), power.sleepStatus);
  text(body, at(268), 'HALYARD');
  return table('FACP', 6, body);
}

/** 5.2.3.2: a generic address, here of one byte in the I/O space. */
function portRegister(view: DataView, offset: Bytes, port: number): void {
  view.setUint8(offset, SYSTEM_IO);
  view.setUint8(offset + 1, 8);
  view.setUint8(offset + 3, 1);
  put64(view, offset + 4, port);
}

/** 5.2.12: a local APIC for each vCPU, the I/O APIC, and NMI at LINT1 of all of them. */
function madtOf(cpus: number): Uint8Array {
  const body = new Uint8Array(8 + cpus * 8 + 12 + 6);
  const view = new DataView(body.buffer);
  view.setUint32(0, LOCAL_APIC, true);
  let at = 8;
  for (let apicId = 0; apicId < cpus; apicId++, at += 8) {
    body.set([0, 8, apicId, apicId], at);
    view.setUint32(at + 4, 1, true);
  }
  body.set([1, 12, 0, 0], at);
  view.setUint32(at + 4, IO_APIC, true);
  at += 12;
  body.set([4, 6, 0xff, 0, 0, 1], at);
  return table('APIC', 5, body);
}

/** The devices, and what soft off is called. */
function dsdtOf({ virtio, serial }: AcpiMachine): Uint8Array {
  const { device, eisaId, integer, name, resources, scope, string } = aml;
  const devices = virtio.map(({ address, gsi }, index) =>
    device(
      `VR${index.toString(16).toUpperCase().padStart(2, '0')}`,
      name('_HID', string('LNRO0005')),
      name('_UID', integer(index)),
      name('_CCA', integer(1)),
      name(
        '_CRS',
        resources(aml.memory32Fixed(address, VIRTIO_MMIO_SLOT_BYTES), aml.edgeInterrupt(gsi)),
      ),
    ),
  );
  const com1 = device(
    'COM1',
    name('_HID', eisaId('PNP0501')),
    name('_UID', integer(0)),
    name('_CRS', resources(aml.ioPorts(serial.firstPort, 8), aml.isaInterrupt(serial.irq))),
  );
  const off = aml.packageList(
    integer(SLEEP_TYPE_OFF),
    integer(SLEEP_TYPE_OFF),
    integer(0),
    integer(0),
  );
  const terms = [scope('\\_SB', com1, ...devices), name('\\_S5', off)];
  const length = terms.reduce((sum, term) => sum + term.length, 0);
  const body = new Uint8Array(length);
  let at = 0;
  for (const term of terms) {
    body.set(term, at);
    at += term.length;
  }
  return table('DSDT', 2, body);
}
