import * as nodeFs from 'node:fs';
import { HalError } from '../contract/errors.js';
import { type Implementation, implement } from '../contract/implementation.js';
import { HostFiles } from '../host-files.js';
import { failedSyscall } from './node-errors.js';

/** The part of node:fs that is used; memfs has it too. */
export interface ReadingFs {
  openSync(path: string, flags: 'r'): number;
  readSync(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): number;
  closeSync(fd: number): void;
}

export interface HostFilesOptions {
  /** Default: node:fs. */
  readonly fs?: ReadingFs;
  /** Put before every path, so that an ordinary directory can stand in for /proc and /sys. Default: none. */
  readonly root?: string;
}

/** The files that policies read hold one line or one page; a larger wish is a mistake. */
const MAX_READ_BYTES = 1 << 20;

/**
 * `HostFiles` over a file system. Errors: SYSCALL_FAILED with errno, and INVALID_ARGUMENT for a path that is no
 * path or a read of more than 1 MiB.
 */
export function hostFilesOver(options: HostFilesOptions = {}): Implementation<typeof HostFiles> {
  const fs = options.fs ?? nodeFs;
  const root = options.root ?? '';
  return implement(HostFiles, () => ({
    read: ({ path, maxBytes }) => readOnce(fs, root + path, maxBytes),
  }));
}

/** Opens, reads once at most `maxBytes` from the start, closes. */
export function readOnce(fs: ReadingFs, path: string, maxBytes: number): Uint8Array {
  if (maxBytes > MAX_READ_BYTES) {
    throw new HalError(
      'INVALID_ARGUMENT',
      `reading ${maxBytes} bytes of ${path}: at most ${MAX_READ_BYTES} are read; ask for less`,
    );
  }
  const buffer = new Uint8Array(maxBytes);
  const fd = attemptOn(path, 'open', () => fs.openSync(path, 'r'));
  try {
    const length = attemptOn(path, 'read', () => fs.readSync(fd, buffer, 0, maxBytes, null));
    return buffer.slice(0, length);
  } finally {
    fs.closeSync(fd);
  }
}

function attemptOn<T>(path: string, syscall: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw failedSyscall(error, syscall, path);
  }
}
