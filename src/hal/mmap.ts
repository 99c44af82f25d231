import { byteRanges, bytes, out, u16Array, u32Array, u32Runs } from './contract/arrays.js';
import { handle, oneOf, text, u16, u32 } from './contract/codec.js';
import { call, defineHal, type HalOf, sizeInBytes } from './contract/define.js';
import { acquire } from './contract/effects.js';
import { syscall } from './contract/footprint.js';
import { asBytes, plainRead, plainWrite } from './contract/memory-effects.js';
import { CLOSE, FCNTL, FSTAT, mapShared, OPEN_TO_READ, sealedMemfd } from './usual-syscalls.js';

const region = handle('region');

/** A plain file for reading, by its path. */
const OPEN_FILE = [OPEN_TO_READ, ...FSTAT];
/** Its content, some at a time. */
const READ_FILE = [syscall('read', {}, { times: 'any' }), CLOSE];

const sizeOf = ({ size }: { readonly size: number }): number => size;

interface Adopted {
  readonly size: number;
  readonly offset: number;
}

/** The lengths of the ranges, as the second argument of a call for each; nothing is done for an empty one. */
function lengths(ranges: Float64Array): readonly Readonly<Record<number, number>>[] {
  return Array.from(ranges)
    .filter((length, at) => at % 2 === 1 && length > 0)
    .map((length) => ({ 1: length }));
}

/**
 * Memory that a guest and its devices share. A region is a handle; no pointer and no raw view of it leaves the
 * contract, because reads through a view could not be recorded.
 */
export const Mmap = defineHal('mmap', {
  /** Creates zeroed shared memory: a memfd of that name, sealed against resizing, mapped MAP_SHARED. */
  createRegion: call(
    { name: text, size: sizeInBytes },
    {
      returns: region,
      syscalls: [...sealedMemfd(sizeOf), mapShared({ size: sizeOf })],
    },
  ),

  /**
   * Maps memory that came with a message (`Channel.message`, `attached`). It must be a memfd sealed against shrinking:
   * otherwise its sender could take pages away, and an access to them would kill this process.
   */
  adoptRegion: call(
    { attachment: handle('attachment'), size: sizeInBytes, offset: sizeInBytes },
    {
      returns: region,
      syscalls: [
        ...FSTAT,
        syscall(FCNTL, { 1: 'F_GET_SEALS' }),
        mapShared<Adopted>({ size: sizeOf, offset: (a) => a.offset }),
      ],
    },
  ),

  /** Unmaps and closes a region. Its handle is never given out again. */
  closeRegion: call({ region }, { syscalls: [syscall('munmap'), CLOSE] }),

  /** Fills `into` with the bytes at `offset`. A plain read: no ordering. */
  read: call({ region, offset: sizeInBytes, into: out(bytes) }, { effect: plainRead() }),

  /** Fills `into` with little-endian 16-bit values. `offset` is a multiple of 2. */
  readU16Array: call({ region, offset: sizeInBytes, into: out(u16Array) }, { effect: plainRead() }),

  /** Fills `into` with little-endian 32-bit values (page frames: they pack well). `offset` is a multiple of 4. */
  readU32Array: call({ region, offset: sizeInBytes, into: out(u32Runs) }, { effect: plainRead() }),

  /** Writes bytes. A plain write: visible to the guest at the latest with the next release store. */
  write: call({ region, offset: sizeInBytes, data: bytes }, { effect: plainWrite((a) => a.data) }),

  /** Writes little-endian 32-bit values. `offset` is a multiple of 4. */
  writeU32Array: call(
    { region, offset: sizeInBytes, data: u32Array },
    { effect: plainWrite((a) => asBytes(a.data)) },
  ),

  /** Loads 16 bits with acquire ordering (virtio 1.2, 2.7.13: after `avail.idx`). `offset` is a multiple of 2. */
  loadAcquireU16: call({ region, offset: sizeInBytes }, { returns: u16, effect: acquire }),

  /** Stores 16 bits with release ordering: everything written before is visible first (`used.idx`). */
  storeReleaseU16: call({ region, offset: sizeInBytes, value: u16 }),

  /** Loads 32 bits with acquire ordering. `offset` is a multiple of 4. */
  loadAcquireU32: call({ region, offset: sizeInBytes }, { returns: u32, effect: acquire }),

  /** Atomically ORs a shared 32-bit word; returns what it held before. */
  orU32: call({ region, offset: sizeInBytes, mask: u32 }, { returns: u32 }),

  /** Atomically ANDs a shared 32-bit word; returns what it held before. */
  andU32: call({ region, offset: sizeInBytes, mask: u32 }, { returns: u32 }),

  /**
   * Gives the pages of the ranges back to the host; they read as zero afterwards. Ranges are [start, length, …] in
   * bytes, page-aligned. The primitive fits the mapping and was chosen when the region was made (MADV_REMOVE for a
   * MAP_SHARED memfd).
   */
  discard: call(
    { region, ranges: byteRanges },
    {
      syscalls: [syscall('madvise', { 2: 'MADV_REMOVE' }, { each: (a) => lengths(a.ranges) })],
      effect: { kind: 'release', space: (a) => a.region, ranges: (a) => a.ranges },
    },
  ),

  /** Loads a file's content at `offset`, natively; the trace has its length and SHA-256, not its bytes. */
  load: call(
    { region, offset: sizeInBytes, path: text },
    {
      returns: { length: sizeInBytes, sha256: text },
      syscalls: [...OPEN_FILE, ...READ_FILE],
    },
  ),

  /** How much of the region the host really holds in memory: allocated blocks of the memfd. */
  residency: call({ region }, { returns: sizeInBytes, syscalls: FSTAT }),

  /** How pages of this region are given back, and the host's page size. */
  describe: call(
    { region },
    {
      returns: {
        size: sizeInBytes,
        pageSize: sizeInBytes,
        primitive: oneOf('madv-remove', 'punch-hole', 'madv-dontneed'),
      },
    },
  ),

  /**
   * Loads a part of a file: at most `maxLength` bytes from `fileOffset` on, fewer if it ends before. Like `load` it moves them
   * natively; `fileLength` is the whole file's.
   */
  loadRange: call(
    {
      region,
      offset: sizeInBytes,
      path: text,
      fileOffset: sizeInBytes,
      maxLength: sizeInBytes,
    },
    {
      returns: { length: sizeInBytes, fileLength: sizeInBytes, sha256: text },
      syscalls: [
        ...OPEN_FILE,
        syscall(
          { x86_64: 'lseek', aarch64: 'lseek', arm: '_llseek' },
          { 1: (a) => a.fileOffset, 2: 'SEEK_SET' },
        ),
        ...READ_FILE,
      ],
    },
  ),
});
export type Mmap = HalOf<typeof Mmap>;
