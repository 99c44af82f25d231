/**
 * The protobuf wire format (protobuf.dev "Encoding"): varints, 64-bit fixed and length-delimited fields, over one
 * growing buffer. Integers are JavaScript numbers below 2^53; only `fixed64` takes a bigint, because a BigInt varint
 * costs ten times a Number one.
 */
const TWO_32 = 4294967296;
const TWO_28 = 268435456;
/** The most values that the packed lists of one message may unfold to: 64 MiB of them. */
const MOST_UNPACKED = 2 ** 24;

/** The longest text whose length takes one byte. */
const SHORT_TEXT = 127;
/** Up to so many bytes, a loop is quicker than a call of `set`. */
export const SHORT_COPY = 48;
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class WireWriter {
  bytes: Uint8Array;
  position = 0;

  constructor(initialBytes = 65536) {
    this.bytes = new Uint8Array(initialBytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.position + count;
    if (needed <= this.bytes.length) return;
    let size = this.bytes.length * 2;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, this.position));
    this.bytes = grown;
  }

  /** An unsigned integer below 2^53. */
  varint(value: number): void {
    if (this.position + 10 > this.bytes.length) this.reserve(10);
    this.position = writeVarint(this.bytes, this.position, value);
  }

  /** A tag and an unsigned integer below 2^53. */
  tagged(tag: number, value: number): void {
    if (tag < 128 && value < 128) {
      if (this.position + 2 > this.bytes.length) this.reserve(2);
      const at = this.position;
      this.bytes[at] = tag;
      this.bytes[at + 1] = value;
      this.position = at + 2;
    } else {
      this.varint(tag);
      this.varint(value);
    }
  }

  /** A signed integer between -2^52 and 2^52, zigzag coded (sint32 and sint64). */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  fixed64(value: bigint): void {
    this.reserve(8);
    const low = Number(value & 0xffffffffn);
    const high = Number((value >> 32n) & 0xffffffffn);
    this.uint32At(this.position, low);
    this.uint32At(this.position + 4, high);
    this.position += 8;
  }

  private uint32At(at: number, value: number): void {
    const bytes = this.bytes;
    bytes[at] = value & 255;
    bytes[at + 1] = (value >>> 8) & 255;
    bytes[at + 2] = (value >>> 16) & 255;
    bytes[at + 3] = value >>> 24;
  }

  raw(data: Uint8Array): void {
    const { length } = data;
    this.reserve(length);
    const { bytes, position } = this;
    if (length <= SHORT_COPY) {
      for (let index = 0; index < length; index++) bytes[position + index] = data[index] as number;
    } else {
      bytes.set(data, position);
    }
    this.position = position + length;
  }

  /** Length and bytes. */
  blob(data: Uint8Array): void {
    this.varint(data.length);
    this.raw(data);
  }

  /** Lone surrogates have no UTF-8; they become U+FFFD. */
  text(value: string): void {
    if (!this.shortAscii(value)) this.blob(textEncoder.encode(value));
  }

  /** Paths and names are short: a loop is cheaper than an encoder. @returns false, with nothing written, for others. */
  private shortAscii(value: string): boolean {
    const { length } = value;
    if (length > SHORT_TEXT) return false;
    this.reserve(length + 1);
    const { bytes, position } = this;
    bytes[position] = length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) return false;
      bytes[position + 1 + index] = code;
    }
    this.position = position + 1 + length;
    return true;
  }

  /**
   * Leaves room for a length that `endLength` fills in; give it the mark returned, and the same expectation.
   *
   * @param expected what the length may be: if it takes as many bytes as the true one, nothing has to be moved.
   */
  beginLength(expected = 0): number {
    const mark = this.position;
    const room = varintSize(expected);
    this.reserve(room);
    this.position = mark + room;
    return mark;
  }

  endLength(mark: number, expected = 0): void {
    const room = varintSize(expected);
    const length = this.position - mark - room;
    const extra = varintSize(length) - room;
    if (extra !== 0) {
      this.reserve(Math.max(extra, 0));
      this.bytes.copyWithin(mark + room + extra, mark + room, this.position);
    }
    writeVarint(this.bytes, mark, length);
    this.position += extra;
  }
}

/** Writes an unsigned integer below 2^53 where there is room for it, and returns where it ends. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value | 0;
  if (rest !== value || rest < 0) {
    const high = Math.floor(value / TWO_28);
    rest = (value - high * TWO_28) | 0;
    bytes[at++] = (rest & 127) | 128;
    bytes[at++] = ((rest >>> 7) & 127) | 128;
    bytes[at++] = ((rest >>> 14) & 127) | 128;
    bytes[at++] = (rest >>> 21) | 128;
    rest = high | 0;
  }
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** How many bytes `varint(value)` takes. */
export function varintSize(value: number): number {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  let size = 1;
  let rest = value;
  while (rest > 127) {
    rest = Math.floor(rest / 128);
    size++;
  }
  return size;
}

/** What a reader throws on bytes that are not protobuf; the caller knows the turn and gives the position. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

export class WireReader {
  bytes: Uint8Array;
  position: number;
  end: number;
  private unpackedSoFar = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0), start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.unpackedSoFar = 0;
  }

  /** Counts values of packed lists that take less than a byte each, so that a small message cannot fill the memory. */
  unpacked(count: number): number {
    this.unpackedSoFar += count;
    if (this.unpackedSoFar > MOST_UNPACKED) {
      throw new WireError(
        `packed lists unfold to more than ${MOST_UNPACKED} values`,
        this.position,
      );
    }
    return count;
  }

  varint(): number {
    const at = this.position;
    if (at < this.end) {
      const byte = this.bytes[at] ?? 0;
      if (byte < 128) {
        this.position = at + 1;
        return byte;
      }
    }
    return this.manyBytes();
  }

  private manyBytes(): number {
    const bytes = this.bytes;
    let at = this.position;
    let byte = bytes[at++] ?? 0;
    let value = byte & 127;
    if (byte > 127) {
      byte = bytes[at++] ?? 0;
      value |= (byte & 127) << 7;
      if (byte > 127) {
        byte = bytes[at++] ?? 0;
        value |= (byte & 127) << 14;
        if (byte > 127) {
          byte = bytes[at++] ?? 0;
          value |= (byte & 127) << 21;
          if (byte > 127) return this.longVarint(value, at);
        }
      }
    }
    if (at > this.end) throw new WireError('a varint runs past its message', this.position);
    this.position = at;
    return value;
  }

  private longVarint(low: number, start: number): number {
    let at = start;
    let value = low;
    let scale = TWO_28;
    for (let count = 0; count < 6; count++) {
      if (at >= this.end) throw new WireError('a varint runs past its message', this.position);
      const byte = this.bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        this.position = at;
        return value;
      }
      scale *= 128;
    }
    throw new WireError('an integer of 2^53 or more', this.position);
  }

  zigzag(): number {
    const coded = this.varint();
    // In 32 bits where that is enough: the remainder of a double is slow.
    if (coded <= 0x7fffffff) return (coded >>> 1) ^ -(coded & 1);
    return coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  }

  fixed64(): bigint {
    const at = this.position;
    if (at + 8 > this.end) throw new WireError('a 64-bit field runs past its message', at);
    this.position = at + 8;
    return BigInt(this.uint32At(at)) + (BigInt(this.uint32At(at + 4)) << 32n);
  }

  private uint32At(at: number): number {
    const bytes = this.bytes;
    const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    return low + (bytes[at + 3] ?? 0) * 16777216;
  }

  /** Reads a length and checks that so much is there. */
  length(): number {
    const length = this.varint();
    if (length > this.end - this.position) {
      throw new WireError(`a field of ${length} bytes runs past its message`, this.position);
    }
    return length;
  }

  /** A fresh copy: the buffer below is reused, and typed arrays over it need offset 0. */
  blob(): Uint8Array {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    // Not slice: that of a Buffer is a view.
    const copy = new Uint8Array(length);
    copy.set(this.bytes.subarray(start, start + length));
    return copy;
  }

  /** Reads one text; whether it is this one. */
  textIs(value: string): boolean {
    const mark = this.position;
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    const { bytes } = this;
    // Other lengths and other bytes may still be equal text if they are not ASCII: then it is decoded.
    for (let index = 0; index < length; index++) {
      const byte = bytes[start + index] as number;
      if (byte > 127) {
        this.position = mark;
        return this.text() === value;
      }
      if (byte !== value.charCodeAt(index)) return false;
    }
    return length === value.length;
  }

  text(): string {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    try {
      return textDecoder.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw new WireError('text that is not UTF-8', start);
    }
  }

  /** Skips one field whose tag was read. */
  skip(tag: number): void {
    const wireType = tag & 7;
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.position += 8;
    else if (wireType === 5) this.position += 4;
    else if (wireType === 2) this.position = this.length() + this.position;
    else throw new WireError(`wire type ${wireType} is not used by protobuf 3`, this.position);
    if (this.position > this.end) throw new WireError('a field runs past its message', this.end);
  }
}

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_LENGTH = 2;

export function tagOf(fieldNumber: number, wireType: number): number {
  return fieldNumber * 8 + wireType;
}

/** Splits a number below 2^53 into its low and high 32 bits. */
export function splitUint53(value: number): [low: number, high: number] {
  return [value % TWO_32, Math.floor(value / TWO_32)];
}
