import type { TurnSource } from '../replay/turn-cursor.js';
import type { TurnSink } from './turn-encoder.js';

/** Keeps the turns of one lane in memory: for tests, and for programs that replay what they have just recorded. */
export class TurnBuffer implements TurnSink {
  private bytes = new Uint8Array(65536);
  private length = 0;
  private readonly ends: number[] = [];

  get turnCount(): number {
    return this.ends.length;
  }

  turn(_number: number, _timeNs: number, bytes: Uint8Array, end: number): void {
    const needed = this.length + end;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(bytes.subarray(0, end), this.length);
    this.length = needed;
    this.ends.push(needed);
  }

  /** The bytes of one turn, by its position. */
  turnBytes(index: number): Uint8Array {
    return this.bytes.slice(this.ends[index - 1] ?? 0, this.ends[index]);
  }

  source(): TurnSource {
    let index = -1;
    const { bytes, ends } = this;
    return {
      next: () => ++index < ends.length,
      buffer: bytes,
      get start() {
        return ends[index - 1] ?? 0;
      },
      get end() {
        return ends[index] ?? 0;
      },
    };
  }
}
