import { createHash } from 'node:crypto';
import type { HalOf } from '../contract/define.js';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { asBytes } from '../contract/memory-effects.js';
import type { Bytes } from '../contract/units.js';
import { Mmap } from '../mmap.js';
import { HandleSpace } from './handles.js';
import { SparseMemory } from './sparse-memory.js';

export interface SimulatedMemoryOptions {
  /** Shared with the other simulated contracts of the same machine. */
  readonly handles?: HandleSpace;
  /** The simulated host's page size, a power of two of 4096 bytes or more. */
  readonly pageSize?: Bytes;
  /** Where `load` finds its files. Without it every path is absent (ENOENT). */
  readonly files?: { readFileSync(path: string): Uint8Array };
}

/** The kind of handle under which a simulated channel attaches a region: `handles.open(ATTACHED_REGION, memory)`. */
export const ATTACHED_REGION = 'attachment';

const ENOENT = 2;

/** What a region's handle names. */
export interface Region {
  readonly memory: SparseMemory;
  /** Where the region starts in its memory, and how much of it there is. */
  readonly start: Bytes;
  readonly size: Bytes;
}

/**
 * The `Mmap` contract over plain memory: no hardware, the same results and error codes as the native side. A page counts
 * as resident from its first write to its discard.
 */
export function simulatedMemory(options: SimulatedMemoryOptions = {}): Implementation<typeof Mmap> {
  return implement(Mmap, () => new SimulatedMmap(options));
}

/**
 * What stands behind a handle that may travel with a message: a region's memory, an eventfd's counter.
 *
 * @throws HalError BAD_HANDLE, CLOSED_HANDLE
 */
export function attachable(handles: HandleSpace, handle: number): object {
  if (handles.kindOf(handle) === 'eventfd') {
    return handles.find<{ counter: object }>('eventfd', handle).counter;
  }
  return handles.find<Region>('region', handle).memory;
}

class SimulatedMmap implements HalOf<typeof Mmap> {
  readonly #handles: HandleSpace;
  readonly #pageSize: Bytes;
  readonly #files: SimulatedMemoryOptions['files'];

  constructor(options: SimulatedMemoryOptions) {
    this.#handles = options.handles ?? new HandleSpace();
    this.#pageSize = options.pageSize ?? 4096;
    this.#files = options.files;
  }

  readonly createRegion = ({ size }: { name: string; size: Bytes }): number => {
    checkWhole('size', size);
    if (size === 0) throw new HalError('INVALID_ARGUMENT', 'size must be more than 0');
    const memory = new SparseMemory(size, this.#pageSize);
    return this.#handles.open('region', { memory, start: 0, size } satisfies Region);
  };

  readonly adoptRegion = (args: { attachment: number; size: Bytes; offset: Bytes }): number => {
    const memory = this.#handles.find<unknown>(ATTACHED_REGION, args.attachment);
    if (!(memory instanceof SparseMemory)) {
      throw new HalError('INVALID_ARGUMENT', `attachment ${args.attachment} is no memory`);
    }
    checkWhole('size', args.size);
    checkWhole('offset', args.offset);
    checkAligned('offset', args.offset, this.#pageSize);
    if (args.size === 0 || args.offset + args.size > memory.size) {
      throw new HalError(
        'OUT_OF_BOUNDS',
        `${args.size} bytes at ${args.offset} are not within the ${memory.size} bytes attached`,
      );
    }
    const region: Region = { memory, start: args.offset, size: args.size };
    return this.#handles.open('region', region);
  };

  readonly closeRegion = ({ region }: { region: number }): void => {
    this.#handles.close('region', region);
  };

  readonly read = (args: { region: number; offset: Bytes; into: Uint8Array }): void => {
    const { memory, start } = this.#access(args.region, args.offset, args.into.length, 1);
    memory.read(start + args.offset, args.into);
  };

  readonly readU16Array = (args: { region: number; offset: Bytes; into: Uint16Array }): void => {
    const { into, offset } = args;
    const { memory, start } = this.#access(args.region, offset, into.byteLength, 2);
    for (let index = 0; index < into.length; index++) {
      into[index] = memory.readU16(start + offset + index * 2);
    }
  };

  readonly readU32Array = (args: { region: number; offset: Bytes; into: Uint32Array }): void => {
    const { into, offset } = args;
    const { memory, start } = this.#access(args.region, offset, into.byteLength, 4);
    for (let index = 0; index < into.length; index++) {
      into[index] = memory.readU32(start + offset + index * 4);
    }
  };

  readonly write = (args: { region: number; offset: Bytes; data: Uint8Array }): void => {
    const { memory, start } = this.#access(args.region, args.offset, args.data.length, 1);
    memory.write(start + args.offset, asBytes(args.data));
  };

  readonly writeU32Array = (args: { region: number; offset: Bytes; data: Uint32Array }): void => {
    const { data, offset } = args;
    const { memory, start } = this.#access(args.region, offset, data.byteLength, 4);
    for (let index = 0; index < data.length; index++) {
      memory.writeU32(start + offset + index * 4, data[index] ?? 0);
    }
  };

  readonly loadAcquireU16 = (args: { region: number; offset: Bytes }): number => {
    const { memory, start } = this.#access(args.region, args.offset, 2, 2);
    return memory.readU16(start + args.offset);
  };

  readonly storeReleaseU16 = (args: { region: number; offset: Bytes; value: number }): void => {
    const { memory, start } = this.#access(args.region, args.offset, 2, 2);
    memory.writeU16(start + args.offset, args.value);
  };

  readonly loadAcquireU32 = (args: { region: number; offset: Bytes }): number => {
    const { memory, start } = this.#access(args.region, args.offset, 4, 4);
    return memory.readU32(start + args.offset);
  };

  readonly orU32 = (args: { region: number; offset: Bytes; mask: number }): number => {
    const { memory, start } = this.#access(args.region, args.offset, 4, 4);
    const before = memory.readU32(start + args.offset);
    memory.writeU32(start + args.offset, (before | args.mask) >>> 0);
    return before;
  };

  readonly andU32 = (args: { region: number; offset: Bytes; mask: number }): number => {
    const { memory, start } = this.#access(args.region, args.offset, 4, 4);
    const before = memory.readU32(start + args.offset);
    memory.writeU32(start + args.offset, (before & args.mask) >>> 0);
    return before;
  };

  readonly discard = (args: { region: number; ranges: Float64Array }): void => {
    const { ranges } = args;
    if (ranges.length % 2 !== 0) {
      throw new HalError(
        'INVALID_ARGUMENT',
        `ranges must hold pairs, got ${ranges.length} numbers`,
      );
    }
    // Every range is checked before the first is given back: a refused call has done nothing.
    for (let index = 0; index < ranges.length; index += 2) {
      const length = ranges[index + 1] ?? 0;
      this.#access(args.region, ranges[index] ?? 0, length, this.#pageSize);
      checkAligned('length', length, this.#pageSize);
    }
    const { memory, start } = this.#handles.find<Region>('region', args.region);
    for (let index = 0; index < ranges.length; index += 2) {
      memory.discard(start + (ranges[index] ?? 0), ranges[index + 1] ?? 0);
    }
  };

  readonly load = (args: { region: number; offset: Bytes; path: string }) => {
    this.#access(args.region, args.offset, 0, 1);
    const data = this.#readFile(args.path);
    const { memory, start } = this.#access(args.region, args.offset, data.length, 1);
    memory.write(start + args.offset, data);
    return { length: data.length, sha256: createHash('sha256').update(data).digest('hex') };
  };

  readonly loadRange = (args: {
    region: number;
    offset: Bytes;
    path: string;
    fileOffset: Bytes;
    maxLength: Bytes;
  }) => {
    const { memory, start } = this.#access(args.region, args.offset, args.maxLength, 1);
    const file = this.#readFile(args.path);
    const data = file.subarray(args.fileOffset, args.fileOffset + args.maxLength);
    memory.write(start + args.offset, data);
    return {
      length: data.length,
      fileLength: file.length,
      sha256: createHash('sha256').update(data).digest('hex'),
    };
  };

  readonly residency = ({ region }: { region: number }): Bytes =>
    this.#handles.find<Region>('region', region).memory.residentBytes;

  readonly describe = ({ region }: { region: number }) => ({
    size: this.#handles.find<Region>('region', region).size,
    pageSize: this.#pageSize,
    primitive: 'madv-remove' as const,
  });

  #readFile(path: string): Uint8Array {
    const missing = { errno: ENOENT, syscall: 'openat' };
    if (this.#files === undefined) {
      throw new HalError('SYSCALL_FAILED', `${path}: the simulated host has no files`, missing);
    }
    try {
      return this.#files.readFileSync(path);
    } catch (cause) {
      throw new HalError('SYSCALL_FAILED', `cannot read ${path}`, { ...missing, cause });
    }
  }

  #access(handle: number, offset: Bytes, length: Bytes, alignment: Bytes): Region {
    const region = this.#handles.find<Region>('region', handle);
    checkWhole('offset', offset);
    checkWhole('length', length);
    checkAligned('offset', offset, alignment);
    if (offset + length > region.size) {
      throw new HalError(
        'OUT_OF_BOUNDS',
        `${length} bytes at ${offset} reach outside region ${handle} of ${region.size} bytes`,
      );
    }
    return region;
  }
}

function checkWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new HalError(
      'INVALID_ARGUMENT',
      `${name} must be a whole number of 0 or more, got ${value}`,
    );
  }
}

function checkAligned(name: string, value: number, alignment: Bytes): void {
  if (value % alignment !== 0) {
    throw new HalError(
      'INVALID_ARGUMENT',
      `${name} must be a multiple of ${alignment}, got ${value}`,
    );
  }
}
