import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { TurnSink } from '../src/hal/record/turn-encoder.js';
import type { TurnSource } from '../src/hal/replay/turn-cursor.js';

const BUFFER_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;

/** Streams turns as they are, each behind its length: what a child does that has neither WebAssembly nor a file. */
export class RawTurnWriter implements TurnSink {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #length = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  turn(_number: number, _timeNs: number, bytes: Uint8Array, end: number): void {
    if (end + LENGTH_BYTES > BUFFER_BYTES) throw new RangeError(`a turn of ${end} bytes`);
    if (this.#length + end + LENGTH_BYTES > BUFFER_BYTES) this.#flush();
    this.#view.setUint32(this.#length, end, true);
    this.#buffer.set(bytes.subarray(0, end), this.#length + LENGTH_BYTES);
    this.#length += end + LENGTH_BYTES;
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #flush(): void {
    let done = 0;
    while (done < this.#length) {
      done += writeSync(this.#fd, this.#buffer, done, this.#length - done);
    }
    this.#length = 0;
  }
}

/** Reads what `RawTurnWriter` wrote, the whole file at once. */
export function rawTurns(path: string): TurnSource {
  const buffer = new Uint8Array(readFileSync(path));
  const view = new DataView(buffer.buffer);
  let start = 0;
  let end = 0;
  return {
    buffer,
    get start() {
      return start;
    },
    get end() {
      return end;
    },
    next: () => {
      if (end === buffer.length) return false;
      start = end + LENGTH_BYTES;
      end = start + view.getUint32(end, true);
      return true;
    },
  };
}
