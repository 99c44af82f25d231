import { byteRanges } from './contract/arrays.js';
import { bool, handle, text } from './contract/codec.js';
import { call, defineHal, type HalOf, sizeInBytes } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { FCNTL, FSTAT, openFlags } from './usual-syscalls.js';

const disk = handle('disk');
const region = handle('region');

/** One run of bytes of a disk, and where in guest memory it goes to or comes from. */
const transfer = { disk, offset: sizeInBytes, region, ranges: byteRanges };

/** How much was moved, and the SHA-256 of exactly these bytes, in lower-case hexadecimal. */
const moved = { length: sizeInBytes, sha256: text };

/**
 * Disks of a virtual machine. Their data never passes through JavaScript: it moves natively between a disk and a region
 * of `Mmap`, and the trace has ranges, lengths and a SHA-256. Every call is a fence in `effects` matching, as `Mmap.load`
 * is: memory that a read filled is known to a replay only by what the program reads of it afterwards.
 */
export const Disk = defineHal('disk', {
  /**
   * Opens a raw image. The name is not its path: whoever provides the hardware knows which file it stands for. The whole
   * file is locked (an open file description lock, fcntl(2)): against everyone if it is opened for writing, against
   * writers if it is not; EAGAIN if someone else holds it. The size is that of the file now, and does not grow.
   */
  open: call(
    { name: text, readOnly: bool },
    {
      returns: { disk, size: sizeInBytes },
      syscalls: [
        syscall('openat', {
          2: (a, architecture) =>
            openFlags(`${a.readOnly ? 'O_RDONLY' : 'O_RDWR'}|O_CLOEXEC|O_NONBLOCK`, architecture),
        }),
        ...FSTAT,
        syscall(FCNTL, { 1: 'F_OFD_SETLK' }),
      ],
    },
  ),

  /** A disk without a file: reads give zeros, writes are dropped. */
  openNull: call({ size: sizeInBytes }, { returns: disk }),

  /**
   * Reads from `offset` on into the ranges of the region, in their order: [start, length, …] in bytes, at any alignment.
   * The length is less than the ranges' only if the file has been cut short since it was opened. After an error some of
   * the ranges may have been filled.
   */
  readInto: call(transfer, {
    returns: moved,
    syscalls: [syscall('pread64', {}, { times: 'any' })],
  }),

  /** Writes the ranges of the region, in their order, from `offset` on. After an error some may have been written. */
  writeFrom: call(transfer, {
    returns: moved,
    syscalls: [syscall('pwrite64', {}, { times: 'any' })],
  }),

  /** What was written is on stable storage when this returns. */
  flush: call({ disk }, { syscalls: [syscall('fdatasync', {}, { times: 'optional' })] }),

  /** Gives up bytes of the file; they read as zero afterwards. Fails with EOPNOTSUPP where the file system cannot. */
  discard: call(
    { disk, offset: sizeInBytes, length: sizeInBytes },
    {
      syscalls: [
        syscall(
          'fallocate',
          {
            1: 'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
            2: (a) => a.offset,
            3: (a) => a.length,
          },
          { times: 'optional' },
        ),
      ],
    },
  ),

  /** Closes it and gives up its lock. Its handle is never given out again. */
  close: call({ disk }, { syscalls: [syscall('close', {}, { times: 'optional' })] }),
});
export type Disk = HalOf<typeof Disk>;
