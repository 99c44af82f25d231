import { writeSync } from 'node:fs';
import type { TurnSink } from '../hal/record/turn-encoder.js';
import type { LaneOutcome } from './trace-metadata.js';

/**
 * How a child process streams its turns to the process that owns the recording. A frame is a u32 length (of what
 * follows), a u8 kind and the content, little-endian: a turn is a u32 number, an f64 time in nanoseconds and the turn's
 * bytes; the end is a u8 outcome and a message in UTF-8. A stream without an end is one that was cut off.
 */
const LENGTH_BYTES = 4;
const KIND_TURN = 1;
const KIND_END = 2;
const TURN_HEADER_BYTES = 13;
const END_HEADER_BYTES = 2;
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const OUTCOMES: readonly LaneOutcome[] = ['stopped', 'failed', 'killed'];
const WAIT_MS = 1;

/** Writes frames to an inherited pipe, and returns only when the pipe has them: they outlive this process. */
export class LaneStreamWriter implements TurnSink {
  readonly #fd: number;
  readonly #onBroken: () => void;
  #frame = Buffer.alloc(65_536);
  #isBroken = false;

  /** @param onBroken called once, when nobody reads any more. */
  constructor(fd: number, onBroken: () => void) {
    this.#fd = fd;
    this.#onBroken = onBroken;
  }

  turn(number: number, timeNs: number, bytes: Uint8Array, end: number): void {
    const frame = this.#begin(KIND_TURN, TURN_HEADER_BYTES + end);
    frame.writeUInt32LE(number, 5);
    frame.writeDoubleLE(timeNs, 9);
    frame.set(bytes.subarray(0, end), LENGTH_BYTES + TURN_HEADER_BYTES);
    this.#write(frame);
  }

  /** Says how the lane ended: the last frame. */
  end(outcome: Exclude<LaneOutcome, 'killed'>, detail: string): void {
    const text = Buffer.from(detail);
    const frame = this.#begin(KIND_END, END_HEADER_BYTES + text.length);
    frame.writeUInt8(OUTCOMES.indexOf(outcome), 5);
    frame.set(text, LENGTH_BYTES + END_HEADER_BYTES);
    this.#write(frame);
  }

  #begin(kind: number, length: number): Buffer {
    const total = LENGTH_BYTES + length;
    if (total > this.#frame.length) this.#frame = Buffer.alloc(total * 2);
    this.#frame.writeUInt32LE(length, 0);
    this.#frame.writeUInt8(kind, 4);
    return this.#frame.subarray(0, total);
  }

  #write(frame: Buffer): void {
    let done = 0;
    while (done < frame.length && !this.#isBroken) {
      try {
        done += writeSync(this.#fd, frame, done);
      } catch (error) {
        if ((error as { code?: string }).code === 'EAGAIN') pause();
        else this.#break();
      }
    }
  }

  #break(): void {
    this.#isBroken = true;
    this.#onBroken();
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
}

/** What a stream says of its lane. */
export interface LaneStreamListener {
  turn(number: number, timeNs: number, bytes: Uint8Array): void;
  end(outcome: LaneOutcome, detail: string): void;
}

/** Takes a stream apart, whatever its pieces are. A stream that is none ends as a lane that was killed. */
export class LaneStreamReader {
  readonly #listener: LaneStreamListener;
  #rest: Buffer = Buffer.alloc(0);
  #isOver = false;

  constructor(listener: LaneStreamListener) {
    this.#listener = listener;
  }

  push(chunk: Uint8Array): void {
    if (this.#isOver) return;
    const bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES && !this.#isOver) {
      const length = bytes.readUInt32LE(at);
      if (length > MAX_FRAME_BYTES) {
        this.#finish('killed', 'its stream is damaged');
        return;
      }
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      this.#take(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  /** No more comes. */
  close(): void {
    this.#finish('killed', 'its stream was cut off');
  }

  #take(frame: Buffer): void {
    if (frame[0] === KIND_TURN && frame.length >= TURN_HEADER_BYTES) {
      const bytes = frame.subarray(TURN_HEADER_BYTES);
      this.#listener.turn(frame.readUInt32LE(1), frame.readDoubleLE(5), bytes);
      return;
    }
    const outcome = frame[0] === KIND_END ? OUTCOMES[frame[1] ?? OUTCOMES.length] : undefined;
    if (outcome === undefined) this.#finish('killed', 'its stream is damaged');
    else this.#finish(outcome, frame.subarray(END_HEADER_BYTES).toString());
  }

  #finish(outcome: LaneOutcome, detail: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rest = Buffer.alloc(0);
    this.#listener.end(outcome, detail);
  }
}
