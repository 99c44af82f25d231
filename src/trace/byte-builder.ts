import { RECORD_HEAD_BYTES, TWO_POW_32 } from './mcap-records.js';

const encoder = new TextEncoder();

/** A growing little-endian byte buffer that builds MCAP records; reused, never handed out. */
export class ByteBuilder {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes built so far; valid until the next call that changes the builder. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** `value` is an integer from 0 up to 2^53. */
  u64(value: number): void {
    this.#reserve(8);
    this.#putU64(this.#length, value);
    this.#length += 8;
  }

  string(text: string): void {
    const encoded = encoder.encode(text);
    this.u32(encoded.length);
    this.raw(encoded);
  }

  raw(source: Uint8Array): void {
    this.#reserve(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** A map of strings, prefixed with its length in bytes. */
  stringMap(entries: Iterable<readonly [string, string]>): void {
    const sizeAt = this.#length;
    this.u32(0);
    for (const [key, value] of entries) {
      this.string(key);
      this.string(value);
    }
    this.#view.setUint32(sizeAt, this.#length - sizeAt - 4, true);
  }

  /** Starts a record; hand the returned mark to `endRecord`. */
  beginRecord(opcode: number): number {
    const mark = this.#length;
    this.u8(opcode);
    this.u64(0);
    return mark;
  }

  /** Fills in the length of the record started at `mark`; returns its size with the head. */
  endRecord(mark: number): number {
    const total = this.#length - mark;
    this.#putU64(mark + 1, total - RECORD_HEAD_BYTES);
    return total;
  }

  #putU64(at: number, value: number): void {
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_POW_32), true);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
