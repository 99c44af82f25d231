import type { Bytes } from '../contract/units.js';

const CHUNK_SHIFT = 20;
const CHUNK_BYTES = 2 ** CHUNK_SHIFT;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** One byte for each page: 1 if the page was written since it was last given back. */
  readonly resident: Uint8Array;
  residentPages: number;
}

/**
 * Zeroed memory that costs nothing until it is written, page by page, as a memfd does. Offsets are not checked here:
 * `memory.ts` does that once for each call.
 */
export class SparseMemory {
  readonly size: Bytes;
  readonly pageSize: Bytes;
  readonly #chunks = new Map<number, Chunk>();

  constructor(size: Bytes, pageSize: Bytes) {
    this.size = size;
    this.pageSize = pageSize;
  }

  /** Bytes of the pages that were written and not given back since. */
  get residentBytes(): Bytes {
    let pages = 0;
    for (const chunk of this.#chunks.values()) pages += chunk.residentPages;
    return pages * this.pageSize;
  }

  read(offset: Bytes, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const at = (offset + done) % CHUNK_BYTES;
      const length = Math.min(into.length - done, CHUNK_BYTES - at);
      const chunk = this.#chunks.get(Math.floor((offset + done) / CHUNK_BYTES));
      if (chunk === undefined) into.fill(0, done, done + length);
      else into.set(chunk.bytes.subarray(at, at + length), done);
      done += length;
    }
  }

  write(offset: Bytes, data: Uint8Array): void {
    let done = 0;
    while (done < data.length) {
      const at = (offset + done) % CHUNK_BYTES;
      const length = Math.min(data.length - done, CHUNK_BYTES - at);
      this.#writable(offset + done, length).bytes.set(data.subarray(done, done + length), at);
      done += length;
    }
  }

  /** A naturally aligned little-endian value never crosses a chunk. */
  readU16(offset: Bytes): number {
    const chunk = this.#chunks.get(Math.floor(offset / CHUNK_BYTES));
    return chunk === undefined ? 0 : chunk.view.getUint16(offset % CHUNK_BYTES, true);
  }

  readU32(offset: Bytes): number {
    const chunk = this.#chunks.get(Math.floor(offset / CHUNK_BYTES));
    return chunk === undefined ? 0 : chunk.view.getUint32(offset % CHUNK_BYTES, true);
  }

  writeU16(offset: Bytes, value: number): void {
    this.#writable(offset, 2).view.setUint16(offset % CHUNK_BYTES, value, true);
  }

  writeU32(offset: Bytes, value: number): void {
    this.#writable(offset, 4).view.setUint32(offset % CHUNK_BYTES, value, true);
  }

  /** Zeroes whole pages and gives them back. `start` and `length` are multiples of the page size. */
  discard(start: Bytes, length: Bytes): void {
    for (let offset = start; offset < start + length; ) {
      const chunkIndex = Math.floor(offset / CHUNK_BYTES);
      const at = offset % CHUNK_BYTES;
      const part = Math.min(start + length - offset, CHUNK_BYTES - at);
      this.#discardIn(chunkIndex, at, part);
      offset += part;
    }
  }

  isResident(offset: Bytes): boolean {
    const chunk = this.#chunks.get(Math.floor(offset / CHUNK_BYTES));
    return chunk?.resident[Math.floor((offset % CHUNK_BYTES) / this.pageSize)] === 1;
  }

  #discardIn(chunkIndex: number, at: number, length: number): void {
    const chunk = this.#chunks.get(chunkIndex);
    if (chunk === undefined) return;
    chunk.bytes.fill(0, at, at + length);
    const first = at / this.pageSize;
    for (let page = first; page < first + length / this.pageSize; page++) {
      chunk.residentPages -= chunk.resident[page] ?? 0;
      chunk.resident[page] = 0;
    }
    if (chunk.residentPages === 0) this.#chunks.delete(chunkIndex);
  }

  /** The chunk that holds the bytes, which lie within it, with their pages marked as resident. */
  #writable(offset: Bytes, length: number): Chunk {
    const chunkIndex = Math.floor(offset / CHUNK_BYTES);
    let chunk = this.#chunks.get(chunkIndex);
    if (chunk === undefined) {
      const bytes = new Uint8Array(CHUNK_BYTES);
      const resident = new Uint8Array(CHUNK_BYTES / this.pageSize);
      chunk = { bytes, view: new DataView(bytes.buffer), resident, residentPages: 0 };
      this.#chunks.set(chunkIndex, chunk);
    }
    const at = offset % CHUNK_BYTES;
    const last = Math.floor((at + length - 1) / this.pageSize);
    for (let page = Math.floor(at / this.pageSize); page <= last; page++) {
      if (chunk.resident[page] === 0) {
        chunk.resident[page] = 1;
        chunk.residentPages++;
      }
    }
    return chunk;
  }
}
