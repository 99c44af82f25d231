import type { Bytes, GuestAddress } from '../../hal/contract/units.js';
import type { ChainBatch } from '../virtio/chain-batch.js';
import type { GuestFault, GuestFaults } from '../virtio/guest-faults.js';
import type { Access, GuestMemory } from '../virtio/guest-memory.js';
import { HEADER_BYTES, MAX_REQUEST_BYTES } from './constants.js';
import { DataSpans } from './data-spans.js';

/**
 * What became of a chain:
 * - 'ok': it is a request;
 * - 'no-status': nothing can be answered, so nothing is done;
 * - 'malformed': it has a place for the status, and that is all there is to it.
 */
export type RequestFrame = 'ok' | 'no-status' | 'malformed';

/** Finds header, data and status in a chain, however the driver cut it into descriptors. Used again for each request. */
export class RequestReader {
  type = 0;
  /** May be any number below 2^64, rounded above 2^53. */
  sector = 0;
  statusAddress: GuestAddress = 0;
  /** Where the data is: good until the next `read`. */
  readonly data: DataSpans;
  readonly #memory: GuestMemory;
  readonly #faults: GuestFaults;
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #headerView = new DataView(this.#header.buffer);
  #batch: ChainBatch | undefined;
  #chain = 0;
  #readableBytes = 0;
  #writableBytes = 0;

  constructor(memory: GuestMemory, faults: GuestFaults) {
    this.#memory = memory;
    this.#faults = faults;
    this.data = new DataSpans(memory);
  }

  read(batch: ChainBatch, chain: number): RequestFrame {
    this.#batch = batch;
    this.#chain = chain;
    // What is wrong with its descriptors was counted when they were read.
    if (batch.isMalformed(chain)) return 'no-status';
    this.#measure(batch, chain);
    if (this.#writableBytes === 0) return this.#refuse('block-no-status', 'no-status');
    if (this.#memory.check(this.statusAddress, 1) !== 'ok') {
      return this.#refuse('buffer-outside-ram', 'no-status');
    }
    if (this.#readableBytes < HEADER_BYTES) return this.#refuse('block-header', 'malformed');
    if (this.#take(false, 0, HEADER_BYTES) !== 'ok') {
      return this.#refuse('buffer-outside-ram', 'malformed');
    }
    this.data.read(this.#header);
    const view = this.#headerView;
    this.type = view.getUint32(0, true);
    this.sector = view.getUint32(12, true) * 2 ** 32 + view.getUint32(8, true);
    return 'ok';
  }

  /** How much the driver sends behind the header. */
  get sentBytes(): Bytes {
    return this.#readableBytes - HEADER_BYTES;
  }

  /** How much room it has before the status. */
  get wantedBytes(): Bytes {
    return this.#writableBytes - 1;
  }

  /** Points `data` at what the driver sends. False if that is too much or not all in RAM. */
  takeSent(): boolean {
    return this.#takeData(false, HEADER_BYTES, this.sentBytes);
  }

  /** Points `data` at the room that the driver has. False if that is too much or not all in RAM. */
  takeWanted(): boolean {
    return this.#takeData(true, 0, this.wantedBytes);
  }

  #measure(batch: ChainBatch, chain: number): void {
    this.#readableBytes = 0;
    this.#writableBytes = 0;
    const end = batch.firstOf(chain + 1);
    for (let at = batch.firstOf(chain); at < end; at++) {
      const length = batch.lengthOf(at);
      if (!batch.isWritable(at)) {
        this.#readableBytes += length;
      } else if (length > 0) {
        this.#writableBytes += length;
        this.statusAddress = batch.addressOf(at) + length - 1;
      }
    }
  }

  #takeData(writable: boolean, skip: Bytes, bytes: Bytes): boolean {
    if (bytes > MAX_REQUEST_BYTES) {
      this.#faults.count('block-over-limit');
      return false;
    }
    if (this.#take(writable, skip, bytes) === 'ok') return true;
    this.#faults.count('buffer-outside-ram');
    return false;
  }

  #take(writable: boolean, skip: Bytes, bytes: Bytes): Access {
    if (this.#batch === undefined) return 'unmapped';
    return this.data.take(this.#batch, this.#chain, writable, skip, bytes);
  }

  #refuse(fault: GuestFault, frame: RequestFrame): RequestFrame {
    this.#faults.count(fault);
    return frame;
  }
}
