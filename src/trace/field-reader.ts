import { TraceFormatError } from './errors.js';
import { TWO_POW_32 } from './mcap-records.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the fields of one record; every field is checked against the record's end. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #file: string;
  readonly #position: number;
  readonly #what: string;
  #at: number;

  /**
   * @param what the record's name, for errors
   * @param position offset in the file to name in errors
   */
  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    what: string,
    file: string,
    position: number,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
    this.#what = what;
    this.#file = file;
    this.#position = position;
  }

  /** Index in the bytes of the next field. */
  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A count, size or offset: at most 2^53. */
  u64(): number {
    const value = this.time();
    if (!Number.isSafeInteger(value)) throw this.corrupt('a size is beyond 2^53');
    return value;
  }

  /** A time in nanoseconds; beyond 2^53 it is only as exact as a double. */
  time(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_POW_32;
  }

  string(): string {
    const length = this.u32();
    const at = this.#take(length);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.corrupt('a string is not UTF-8');
    }
  }

  /** A copy of the next `length` bytes. */
  copy(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  stringMap(): Map<string, string> {
    const size = this.u32();
    if (size > this.remaining) throw this.corrupt('a map is longer than its record');
    const end = this.#at + size;
    const map = new Map<string, string>();
    while (this.#at < end) {
      const key = this.string();
      if (map.has(key)) throw this.corrupt(`the key ${JSON.stringify(key)} stands twice in a map`);
      map.set(key, this.string());
    }
    if (this.#at !== end) throw this.corrupt('a map ends in the middle of an entry');
    return map;
  }

  corrupt(reason: string): TraceFormatError {
    const text = `${this.#what}: ${reason}`;
    return new TraceFormatError('TRACE_CORRUPT', this.#file, this.#position, text);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw this.corrupt('a field goes beyond the end of the record');
    this.#at = at + length;
    return at;
  }
}
