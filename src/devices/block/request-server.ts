import type { HalOf } from '../../hal/contract/define.js';
import { HalError } from '../../hal/contract/errors.js';
import type { Bytes } from '../../hal/contract/units.js';
import type { Disk } from '../../hal/disk.js';
import type { ChainBatch } from '../virtio/chain-batch.js';
import type { GuestFault, GuestFaults } from '../virtio/guest-faults.js';
import type { GuestMemory } from '../virtio/guest-memory.js';
import {
  DISCARD_SEGMENT_BYTES,
  ID_BYTES,
  MAX_DISCARD_SECTORS,
  MAX_DISCARD_SEGMENTS,
  REQUEST_DISCARD,
  REQUEST_FLUSH,
  REQUEST_GET_ID,
  REQUEST_IN,
  REQUEST_OUT,
  type RequestStatus,
  SECTOR_BYTES,
  STATUS_IOERR,
  STATUS_OK,
  STATUS_UNSUPP,
} from './constants.js';
import { capacitySectors, type DiskShape } from './disk-shape.js';
import type { BlockMetrics } from './metrics.js';
import { RequestReader } from './request-reader.js';

const EOPNOTSUPP = 95;

export interface RequestServerOptions {
  readonly disks: HalOf<typeof Disk>;
  readonly disk: number;
  readonly shape: DiskShape;
  /** ASCII; what is behind the first 20 characters is cut off. */
  readonly id: string;
}

/** Does what requests ask for, one after the other: the data moves within the call. */
export class RequestServer {
  /** Every write is on stable storage before it is answered: the driver does not flush (virtio 1.2, 5.2.6.2). */
  isWritethrough = false;
  readonly #memory: GuestMemory;
  readonly #faults: GuestFaults;
  readonly #metrics: BlockMetrics;
  readonly #disks: HalOf<typeof Disk>;
  readonly #disk: number;
  readonly #readOnly: boolean;
  readonly #capacity: number;
  readonly #id: Uint8Array;
  readonly #request: RequestReader;
  readonly #statusByte = new Uint8Array(1);
  /** Data that the request under way has written into guest memory. */
  #filledBytes = 0;

  constructor(
    memory: GuestMemory,
    faults: GuestFaults,
    metrics: BlockMetrics,
    options: RequestServerOptions,
  ) {
    this.#memory = memory;
    this.#faults = faults;
    this.#metrics = metrics;
    this.#disks = options.disks;
    this.#disk = options.disk;
    this.#readOnly = options.shape.readOnly;
    this.#capacity = capacitySectors(options.shape);
    this.#id = idBytes(options.id);
    this.#request = new RequestReader(memory, faults);
  }

  /** @returns how many bytes of guest memory were written, with the status: the used element's length. */
  serve(batch: ChainBatch, chain: number): Bytes {
    const request = this.#request;
    const frame = request.read(batch, chain);
    if (frame === 'no-status') return 0;
    this.#filledBytes = 0;
    this.#statusByte[0] = frame === 'ok' ? this.#perform() : STATUS_IOERR;
    this.#memory.write(request.statusAddress, this.#statusByte);
    return this.#filledBytes + 1;
  }

  #perform(): RequestStatus {
    try {
      return this.#dispatch();
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
      this.#metrics.hostErrors++;
      return error.errno === EOPNOTSUPP ? STATUS_UNSUPP : STATUS_IOERR;
    }
  }

  #dispatch(): RequestStatus {
    switch (this.#request.type) {
      case REQUEST_IN:
        return this.#read();
      case REQUEST_OUT:
        return this.#readOnly ? this.#refuse('block-read-only') : this.#write();
      case REQUEST_FLUSH:
        this.#flush();
        return STATUS_OK;
      case REQUEST_GET_ID:
        return this.#getId();
      case REQUEST_DISCARD:
        return this.#readOnly ? this.#unsupported() : this.#discard();
      default:
        return this.#unsupported();
    }
  }

  #read(): RequestStatus {
    const { data, sector, wantedBytes } = this.#request;
    if (!this.#isTransfer(wantedBytes) || !this.#request.takeWanted()) return STATUS_IOERR;
    this.#metrics.reads++;
    const disk = this.#disk;
    for (const { region, ranges, bytes } of data.runs()) {
      const offset = sector * SECTOR_BYTES + this.#filledBytes;
      const { length } = this.#disks.readInto({ disk, offset, region, ranges });
      this.#filledBytes += length;
      this.#metrics.readBytes += length;
      if (length < bytes) return this.#fellShort();
    }
    return STATUS_OK;
  }

  #write(): RequestStatus {
    const { data, sector, sentBytes } = this.#request;
    if (!this.#isTransfer(sentBytes) || !this.#request.takeSent()) return STATUS_IOERR;
    this.#metrics.writes++;
    const disk = this.#disk;
    let offset = sector * SECTOR_BYTES;
    for (const { region, ranges, bytes } of data.runs()) {
      const { length } = this.#disks.writeFrom({ disk, offset, region, ranges });
      offset += length;
      this.#metrics.writtenBytes += length;
      if (length < bytes) return this.#fellShort();
    }
    if (this.isWritethrough) this.#flush();
    return STATUS_OK;
  }

  #flush(): void {
    this.#metrics.flushes++;
    this.#disks.flush({ disk: this.#disk });
  }

  #getId(): RequestStatus {
    if (this.#request.wantedBytes !== ID_BYTES) return this.#refuse('block-length');
    if (!this.#request.takeWanted()) return STATUS_IOERR;
    this.#request.data.write(this.#id);
    this.#filledBytes = ID_BYTES;
    return STATUS_OK;
  }

  /** All segments are looked at before the first is given up. */
  #discard(): RequestStatus {
    const { sentBytes, data } = this.#request;
    const count = sentBytes / DISCARD_SEGMENT_BYTES;
    if (!Number.isInteger(count) || count === 0 || count > MAX_DISCARD_SEGMENTS) {
      return this.#refuse('block-length');
    }
    if (!this.#request.takeSent()) return STATUS_IOERR;
    const segments = new Uint8Array(sentBytes);
    data.read(segments);
    const view = new DataView(segments.buffer);
    for (let at = 0; at < sentBytes; at += DISCARD_SEGMENT_BYTES) {
      // `unmap` is for writing zeroes, and the other flags are for nobody (5.2.6.2).
      if (view.getUint32(at + 12, true) !== 0) return this.#unsupported();
      const sectors = view.getUint32(at + 8, true);
      if (sectors > MAX_DISCARD_SECTORS) return this.#refuse('block-over-limit');
      if (!this.#isOnDisk(sectorAt(view, at), sectors)) return this.#refuse('block-range');
    }
    this.#metrics.discards++;
    for (let at = 0; at < sentBytes; at += DISCARD_SEGMENT_BYTES) {
      const offset = sectorAt(view, at) * SECTOR_BYTES;
      const length = view.getUint32(at + 8, true) * SECTOR_BYTES;
      this.#disks.discard({ disk: this.#disk, offset, length });
    }
    return STATUS_OK;
  }

  /** Whether so many bytes, from the request's sector on, are whole sectors of the disk. */
  #isTransfer(bytes: Bytes): boolean {
    if (bytes % SECTOR_BYTES !== 0) {
      this.#faults.count('block-length');
      return false;
    }
    if (this.#isOnDisk(this.#request.sector, bytes / SECTOR_BYTES)) return true;
    this.#faults.count('block-range');
    return false;
  }

  #isOnDisk(sector: number, sectors: number): boolean {
    return sector <= this.#capacity - sectors;
  }

  #unsupported(): RequestStatus {
    this.#faults.count('block-unsupported');
    return STATUS_UNSUPP;
  }

  #fellShort(): RequestStatus {
    this.#metrics.hostErrors++;
    return STATUS_IOERR;
  }

  #refuse(fault: GuestFault): RequestStatus {
    this.#faults.count(fault);
    return STATUS_IOERR;
  }
}

function sectorAt(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

function idBytes(id: string): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES);
  for (let at = 0; at < Math.min(id.length, ID_BYTES); at++) bytes[at] = id.charCodeAt(at);
  return bytes;
}
