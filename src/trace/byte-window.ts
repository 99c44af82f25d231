import type { ByteSource } from './byte-source.js';

const READ_AHEAD_BYTES = 512 * 1024;

/** A window on a file, moved by reading and reused; on bytes in memory it is all of them. */
export class ByteWindow {
  bytes: Uint8Array;
  view: DataView;
  readonly #source: ByteSource;
  readonly #readAhead: number;
  #base = 0;
  #filled: number;

  constructor(source: ByteSource, readAheadBytes = READ_AHEAD_BYTES) {
    const { memory } = source;
    this.#readAhead = readAheadBytes;
    this.#source = source;
    this.bytes = memory ?? new Uint8Array(Math.min(readAheadBytes, source.size));
    this.view = viewOf(this.bytes);
    this.#filled = memory === undefined ? 0 : memory.length;
  }

  /** Offset in the file of the end of what is in the window. */
  get end(): number {
    return this.#base + this.#filled;
  }

  holds(position: number, length: number): boolean {
    return position >= this.#base && position + length <= this.end;
  }

  /**
   * Makes the file's bytes from `position` on present; they must lie within the file.
   * @returns the index of `position` in `bytes`; earlier indexes are void.
   */
  locate(position: number, length: number): number {
    if (!this.holds(position, length)) this.#fill(position, length);
    return position - this.#base;
  }

  /** Moves the window to `position`, keeping what it has of it already. */
  #fill(position: number, length: number): void {
    const wanted = Math.min(Math.max(length, this.#readAhead), this.#source.size - position);
    const from = position - this.#base;
    const kept = from >= 0 && from < this.#filled ? Math.min(this.#filled - from, wanted) : 0;
    const previous = this.bytes;
    if (wanted > previous.length) {
      this.bytes = new Uint8Array(wanted);
      this.view = viewOf(this.bytes);
      if (kept > 0) this.bytes.set(previous.subarray(from, from + kept));
    } else if (kept > 0) {
      previous.copyWithin(0, from, from + kept);
    }
    this.#base = position;
    this.#filled = kept;
    this.#source.read(position + kept, this.bytes, kept, wanted - kept);
    this.#filled = wanted;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
