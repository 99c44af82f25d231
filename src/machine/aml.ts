import type { Bytes } from '../hal/contract/units.js';

/**
 * The part of ACPI Machine Language that a table of a few devices needs (ACPI 6.4, chapter 20: AML, and 6.4: resource
 * descriptors). A term is its bytes.
 */
export type Aml = Uint8Array;

const OP = {
  zero: 0x00,
  one: 0x01,
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  string: 0x0d,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  extended: 0x5b,
  device: 0x82,
} as const;

/** The longest package that three bytes behind the lead byte can say. */
const MAX_PACKAGE: Bytes = 0x0fff_ffff;

function join(...parts: readonly (Aml | readonly number[])[]): Aml {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}

function ascii(text: string): number[] {
  return Array.from(text, (letter) => {
    const code = letter.charCodeAt(0);
    if (code === 0 || code > 0x7f) throw new RangeError(`"${text}" is not ASCII`);
    return code;
  });
}

/** A name of one segment, such as `COM1`; `\` before it means the root. Short ones are filled with underscores. */
function nameString(name: string): number[] {
  const match = /^(\\?)([A-Z_][A-Z0-9_]{0,3})$/.exec(name);
  if (match === null) throw new RangeError(`"${name}" is no name of one segment`);
  return ascii(`${match[1]}${(match[2] ?? '').padEnd(4, '_')}`);
}

/** The length of a package counts its own bytes (20.2.4). */
function packageOf(content: Aml): Aml {
  const short = content.length + 1;
  if (short <= 0x3f) return join([short], content);
  for (let following = 1; following <= 3; following++) {
    const length = content.length + 1 + following;
    if (length >= 2 ** (4 + 8 * following)) continue;
    const lead = (following << 6) | (length & 0xf);
    return join([lead], littleEndian(Math.floor(length / 16), following), content);
  }
  throw new RangeError(`a package of ${content.length} bytes is longer than ${MAX_PACKAGE}`);
}

/** A whole number of up to 32 bits, as short as it can be. */
export function integer(value: number): Aml {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new RangeError(`${value} is no whole number of 32 bits`);
  }
  if (value === 0) return join([OP.zero]);
  if (value === 1) return join([OP.one]);
  if (value <= 0xff) return join([OP.byte, value]);
  if (value <= 0xffff) return join([OP.word], littleEndian(value, 2));
  return join([OP.dword], littleEndian(value, 4));
}

export function string(text: string): Aml {
  return join([OP.string], ascii(text), [0]);
}

/** An identifier such as PNP0501 in its packed form (19.6.36): three letters of 5 bits, four hexadecimal digits. */
export function eisaId(id: string): Aml {
  const match = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id);
  if (match === null) throw new RangeError(`"${id}" is no EISA identifier`);
  const [a = 0, b = 0, c = 0] = ascii(match[1] ?? '').map((code) => code - 0x40);
  const vendor = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(match[2] ?? '', 16);
  // Both halves stand with their high byte first.
  return join([OP.dword, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff]);
}

export function name(of: string, value: Aml): Aml {
  return join([OP.name], nameString(of), value);
}

export function scope(of: string, ...terms: readonly Aml[]): Aml {
  return join([OP.scope], packageOf(join(nameString(of), ...terms)));
}

export function device(of: string, ...terms: readonly Aml[]): Aml {
  return join([OP.extended, OP.device], packageOf(join(nameString(of), ...terms)));
}

export function packageList(...elements: readonly Aml[]): Aml {
  return join([OP.package], packageOf(join([elements.length], ...elements)));
}

/** What a device occupies: descriptors and an end tag, as a buffer. */
export function resources(...descriptors: readonly Aml[]): Aml {
  const bytes = join(...descriptors, [0x79, 0]);
  return join([OP.buffer], packageOf(join(integer(bytes.length), bytes)));
}

/** 6.4.3.4, read and write. */
export function memory32Fixed(address: number, size: Bytes): Aml {
  return join([0x86, 9, 0, 1], littleEndian(address, 4), littleEndian(size, 4));
}

/** 6.4.3.6: consumer, edge triggered, active high, not shared. */
export function edgeInterrupt(gsi: number): Aml {
  return join([0x89, 6, 0, 0b0011, 1], littleEndian(gsi, 4));
}

/** 6.4.2.5, 16-bit decoding. */
export function ioPorts(first: number, count: number): Aml {
  return join([0x47, 1], littleEndian(first, 2), littleEndian(first, 2), [1, count]);
}

/** 6.4.2.1 without flags: edge triggered, active high. */
export function isaInterrupt(irq: number): Aml {
  return join([0x22], littleEndian(1 << irq, 2));
}
