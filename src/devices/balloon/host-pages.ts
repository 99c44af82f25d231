import { BALLOON_PAGE_BYTES, type Bytes } from '../../hal/contract/units.js';

/** Told of bytes of a region that can be given back. */
export type ByteRangeSink = (start: Bytes, length: Bytes) => void;

/**
 * A part of RAM on a host whose pages are larger than the balloon's 4096 bytes. A host page goes back when the guest has
 * given up all of it; a page that the guest has in part stays. Costs a byte for each 4096 bytes of RAM.
 */
export class HostPages {
  readonly #hostPageBytes: Bytes;
  readonly #firstHostPage: number;
  /** Frames from the start of the first host page to the start of the part. */
  readonly #lead: number;
  readonly #framesPerPage: number;
  /** 1 for each frame that the guest has given up. */
  readonly #given: Uint8Array;
  readonly #givenInPage: Uint32Array;

  /**
   * @param offset where the part starts in its region; its first and last host page may be shared with something else,
   *   and then never go back.
   */
  constructor(offset: Bytes, size: Bytes, hostPageBytes: Bytes) {
    this.#hostPageBytes = hostPageBytes;
    this.#framesPerPage = hostPageBytes / BALLOON_PAGE_BYTES;
    this.#firstHostPage = Math.floor(offset / hostPageBytes);
    this.#lead = (offset - this.#firstHostPage * hostPageBytes) / BALLOON_PAGE_BYTES;
    const hostPages = Math.ceil((offset + size) / hostPageBytes) - this.#firstHostPage;
    this.#given = new Uint8Array(size / BALLOON_PAGE_BYTES);
    this.#givenInPage = new Uint32Array(hostPages);
  }

  /** The guest gives up `count` frames, the first of them `frame` frames into the part. */
  inflate(frame: number, count: number, sink: ByteRangeSink): void {
    for (let index = frame; index < frame + count; index++) this.#mark(index, 1);
    const last = this.#pageOf(frame + count - 1);
    let page = this.#pageOf(frame);
    while (page <= last) {
      let end = page;
      while (end <= last && this.#givenInPage[end] === this.#framesPerPage) end++;
      if (end > page) this.#emit(page, end - page, sink);
      page = end + 1;
    }
  }

  /**
   * The guest can do without the content of `count` frames now, and keeps them: host pages that lie among them as a
   * whole go back, and nothing is noted. Without a loop over the frames.
   */
  release(frame: number, count: number, sink: ByteRangeSink): void {
    const first = Math.ceil((this.#lead + frame) / this.#framesPerPage);
    const end = Math.floor((this.#lead + frame + count) / this.#framesPerPage);
    if (end > first) this.#emit(first, end - first, sink);
  }

  /** The guest takes a frame back: its host page is whole no longer. */
  deflate(frame: number): void {
    this.#mark(frame, 0);
  }

  /** The guest has everything again: it was reset. */
  clear(): void {
    this.#given.fill(0);
    this.#givenInPage.fill(0);
  }

  #emit(page: number, count: number, sink: ByteRangeSink): void {
    sink((this.#firstHostPage + page) * this.#hostPageBytes, count * this.#hostPageBytes);
  }

  #pageOf(frame: number): number {
    return Math.floor((this.#lead + frame) / this.#framesPerPage);
  }

  #mark(frame: number, value: 0 | 1): void {
    if (this.#given[frame] === value) return;
    this.#given[frame] = value;
    const page = this.#pageOf(frame);
    this.#givenInPage[page] = (this.#givenInPage[page] ?? 0) + (value === 1 ? 1 : -1);
  }
}
