import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from './crc32.js';
import { TraceWriteError } from './errors.js';

/** Writes some bytes and returns how many; `fs.writeSync` unless a test replaces it. */
export type WriteCall = (fd: number, bytes: Uint8Array, offset: number, length: number) => number;

export interface OutputTarget {
  /** An open file descriptor, written from its present position; not closed by the writer. */
  readonly fd?: number;
  /** A path to create, or to replace unless `exclusive`. */
  readonly path?: string;
  /** Refuse to replace an existing file. */
  readonly exclusive?: boolean;
  readonly write?: WriteCall;
}

const STALLED_PIPE_MS = 10_000;
const PIPE_RETRY_MS = 1;

/** Creates a file, or replaces it unless `exclusive`. @throws TraceWriteError */
export function openOutput(path: string, exclusive: boolean): number {
  try {
    return openSync(path, exclusive ? 'wx' : 'w', 0o644);
  } catch (cause) {
    throw new TraceWriteError(path, 0, cause);
  }
}

/** The file being written: whole writes, a running CRC, and one error at most. */
export class OutputFile {
  readonly file: string;
  readonly #fd: number;
  readonly #owned: boolean;
  readonly #write: WriteCall;
  #position = 0;
  #crc = 0;
  #open = true;

  /** @throws TraceWriteError if the path cannot be opened. */
  constructor(target: OutputTarget) {
    this.#write = target.write ?? writeSync;
    if (target.fd !== undefined) {
      this.file = target.path ?? `fd ${target.fd}`;
      this.#fd = target.fd;
      this.#owned = false;
      return;
    }
    if (target.path === undefined) throw new TypeError('a trace needs a path or an fd to write to');
    this.file = target.path;
    this.#owned = true;
    this.#fd = openOutput(target.path, target.exclusive === true);
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  /** CRC-32 over every byte since the start, or since `restartCrc`. */
  get crc(): number {
    return this.#crc;
  }

  restartCrc(): void {
    this.#crc = 0;
  }

  /** Counts bytes into the CRC that are written later, with a field still open. */
  crcWith(bytes: Uint8Array): number {
    return crc32(bytes, this.#crc);
  }

  /** @throws TraceWriteError */
  write(bytes: Uint8Array): void {
    let done = 0;
    let stalledMs = 0;
    while (done < bytes.length) {
      try {
        const count = this.#write(this.#fd, bytes, done, bytes.length - done);
        done += count;
        this.#position += count;
        stalledMs = count > 0 ? 0 : this.#wait(stalledMs);
        if (stalledMs > STALLED_PIPE_MS) throw new Error('the file takes no more bytes');
      } catch (cause) {
        stalledMs = this.#retry(cause, stalledMs);
      }
    }
    this.#crc = crc32(bytes, this.#crc);
  }

  /** Closes the file if it was opened here. @throws TraceWriteError */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (!this.#owned) return;
    try {
      closeSync(this.#fd);
    } catch (cause) {
      throw new TraceWriteError(this.file, this.#position, cause);
    }
  }

  /** Returns the time stalled so far if the write is to be tried again. */
  #retry(cause: unknown, stalledMs: number): number {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EINTR') return stalledMs;
    // A pipe shared with a process that set O_NONBLOCK is full: its reader is only slow.
    if (code === 'EAGAIN' && stalledMs < STALLED_PIPE_MS) return this.#wait(stalledMs);
    throw new TraceWriteError(this.file, this.#position, cause);
  }

  #wait(stalledMs: number): number {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_RETRY_MS);
    return stalledMs + PIPE_RETRY_MS;
  }
}
