import { createHash } from 'node:crypto';
import type { HalOf } from '../contract/define.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import type { Bytes } from '../contract/units.js';
import { Disk } from '../disk.js';
import { HandleSpace } from './handles.js';
import type { Region } from './memory.js';

export interface SimulatedDiskOptions {
  /** Shared with the simulated `Mmap`, whose regions the data goes to and comes from. */
  readonly handles?: HandleSpace;
  /** What stands on the disks, by name; it is changed in place. Other names cannot be opened. */
  readonly images?: ReadonlyMap<string, Uint8Array>;
}

interface OpenDisk {
  /** Undefined on a disk without a file. */
  readonly image: Uint8Array | undefined;
  readonly size: Bytes;
  readonly readOnly: boolean;
}

interface Transfer {
  readonly disk: number;
  readonly offset: Bytes;
  readonly region: number;
  readonly ranges: Float64Array;
}

const EAGAIN = 11;

/** The `Disk` contract over arrays: no hardware, the same results and error codes as the native side. */
export function simulatedDisk(options: SimulatedDiskOptions = {}): Implementation<typeof Disk> {
  return implement(Disk, () => new SimulatedDisk(options));
}

class SimulatedDisk implements HalOf<typeof Disk> {
  readonly #handles: HandleSpace;
  readonly #images: ReadonlyMap<string, Uint8Array>;
  readonly #open = new Set<OpenDisk>();

  constructor(options: SimulatedDiskOptions) {
    this.#handles = options.handles ?? new HandleSpace();
    this.#images = options.images ?? new Map();
  }

  readonly open = ({ name, readOnly }: { name: string; readOnly: boolean }) => {
    const image = this.#images.get(name);
    if (image === undefined) {
      throw new HalError('INVALID_ARGUMENT', `no image was given for the disk "${name}"`);
    }
    const isInUse = [...this.#open].some(
      (other) => other.image === image && !(readOnly && other.readOnly),
    );
    if (isInUse) {
      const detail = { errno: EAGAIN, syscall: 'fcntl' };
      throw new HalError('SYSCALL_FAILED', `the image of the disk "${name}" is in use`, detail);
    }
    return { disk: this.#add({ image, size: image.length, readOnly }), size: image.length };
  };

  readonly openNull = ({ size }: { size: Bytes }): number => {
    checkWhole('size', size);
    return this.#add({ image: undefined, size, readOnly: false });
  };

  readonly readInto = (transfer: Transfer) => {
    const { disk, memory, total } = this.#check(transfer);
    const data = disk.image?.subarray(transfer.offset, transfer.offset + total);
    const bytes = data ?? new Uint8Array(total);
    let done = 0;
    for (const { start, length } of rangesOf(transfer.ranges)) {
      memory.memory.write(memory.start + start, bytes.subarray(done, done + length));
      done += length;
    }
    return { length: total, sha256: sha256Of(bytes) };
  };

  readonly writeFrom = (transfer: Transfer) => {
    const { disk, memory, total } = this.#check(transfer);
    checkWritable(disk);
    const bytes = new Uint8Array(total);
    let done = 0;
    for (const { start, length } of rangesOf(transfer.ranges)) {
      memory.memory.read(memory.start + start, bytes.subarray(done, done + length));
      done += length;
    }
    disk.image?.set(bytes, transfer.offset);
    return { length: total, sha256: sha256Of(bytes) };
  };

  readonly flush = ({ disk }: { disk: number }): void => {
    this.#handles.find('disk', disk);
  };

  readonly discard = (args: { disk: number; offset: Bytes; length: Bytes }): void => {
    const disk = this.#handles.find<OpenDisk>('disk', args.disk);
    checkWithin(disk, args.offset, args.length);
    checkWritable(disk);
    disk.image?.fill(0, args.offset, args.offset + args.length);
  };

  readonly close = ({ disk }: { disk: number }): void => {
    this.#open.delete(this.#handles.find<OpenDisk>('disk', disk));
    this.#handles.close('disk', disk);
  };

  #add(disk: OpenDisk): number {
    this.#open.add(disk);
    return this.#handles.open('disk', disk);
  }

  /** Everything is checked before the first byte moves. */
  #check(transfer: Transfer): { disk: OpenDisk; memory: Region; total: Bytes } {
    const disk = this.#handles.find<OpenDisk>('disk', transfer.disk);
    const memory = this.#handles.find<Region>('region', transfer.region);
    if (transfer.ranges.length % 2 !== 0) {
      const got = `got ${transfer.ranges.length} numbers`;
      throw new HalError('INVALID_ARGUMENT', `ranges must hold pairs, ${got}`);
    }
    let total = 0;
    for (const { start, length } of rangesOf(transfer.ranges)) {
      checkWhole('start', start);
      checkWhole('length', length);
      if (start + length > memory.size) {
        throw outOfBounds(start, length, `region ${transfer.region} of ${memory.size} bytes`);
      }
      total += length;
    }
    checkWithin(disk, transfer.offset, total);
    return { disk, memory, total };
  }
}

function* rangesOf(ranges: Float64Array): Generator<{ start: Bytes; length: Bytes }> {
  for (let at = 0; at < ranges.length; at += 2) {
    yield { start: ranges[at] ?? 0, length: ranges[at + 1] ?? 0 };
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function checkWithin(disk: OpenDisk, offset: Bytes, length: Bytes): void {
  checkWhole('offset', offset);
  checkWhole('length', length);
  if (offset + length > disk.size) {
    throw outOfBounds(offset, length, `a disk of ${disk.size} bytes`);
  }
}

function checkWritable(disk: OpenDisk): void {
  if (disk.readOnly) {
    throw new HalError('INVALID_ARGUMENT', 'the disk was opened to be read only');
  }
}

function outOfBounds(offset: Bytes, length: Bytes, what: string): HalError {
  return new HalError('OUT_OF_BOUNDS', `${length} bytes at ${offset} do not lie within ${what}`);
}

function checkWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    const got = `got ${value}`;
    throw new HalError('INVALID_ARGUMENT', `${name} must be a whole number of 0 or more, ${got}`);
  }
}
