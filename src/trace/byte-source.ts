import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { TraceFormatError } from './errors.js';

/** Bytes that can be read at any offset: a file, or an array in memory. */
export interface ByteSource {
  readonly file: string;
  readonly size: number;
  /** All bytes, where they are in memory already. */
  readonly memory: Uint8Array | undefined;
  /** Fills `target` from `offset` on with `length` bytes. @throws TraceFormatError */
  read(position: number, target: Uint8Array, offset: number, length: number): void;
  close(): void;
}

export function memorySource(bytes: Uint8Array, file: string): ByteSource {
  return {
    file,
    size: bytes.length,
    memory: bytes,
    read(position, target, offset, length) {
      target.set(bytes.subarray(position, position + length), offset);
    },
    close() {},
  };
}

/** @throws TraceFormatError TRACE_UNREADABLE, or TRACE_UNSUPPORTED for what is not a file. */
export function fileSource(file: string): ByteSource {
  const fd = openOrRefuse(file);
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    closeSync(fd);
    const reason = 'not a regular file; save the trace to a file first';
    throw new TraceFormatError('TRACE_UNSUPPORTED', file, 0, reason);
  }
  let open = true;
  return {
    file,
    size: stat.size,
    memory: undefined,
    read: (position, target, offset, length) => {
      readFully(fd, file, position, target, offset, length);
    },
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function openOrRefuse(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw unreadable(file, 0, cause);
  }
}

function readFully(
  fd: number,
  file: string,
  position: number,
  target: Uint8Array,
  offset: number,
  length: number,
): void {
  let done = 0;
  while (done < length) {
    const count = readSome(fd, file, position + done, target, offset + done, length - done);
    if (count === 0) {
      const reason = `the file ends ${length - done} bytes early; it became shorter while being read`;
      throw new TraceFormatError('TRACE_TRUNCATED', file, position + done, reason);
    }
    done += count;
  }
}

function readSome(
  fd: number,
  file: string,
  position: number,
  target: Uint8Array,
  offset: number,
  length: number,
): number {
  try {
    return readSync(fd, target, offset, length, position);
  } catch (cause) {
    throw unreadable(file, position, cause);
  }
}

function unreadable(file: string, position: number, cause: unknown): TraceFormatError {
  const reason = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new TraceFormatError('TRACE_UNREADABLE', file, position, reason, { cause });
}
