/**
 * A ring in shared memory through which one thread hands frames to another: the recorded program must not wait for
 * compression or for the disk. A frame is a head of 24 bytes (i32 size, i32 kind, i32 channel, i32 sequence, f64 time)
 * and its payload, padded to 8 bytes; it never wraps around the end.
 */
const HEAD_BYTES = 24;
const ALIGNMENT = 8;

/** Words of the control block. Positions count bytes and wrap at 2^32. */
const HEAD = 0;
const TAIL = 1;
/** 1 while the producer waits for room. */
const FULL = 2;
const CONTROL_BYTES = 64;

export const FRAME = {
  /** Nothing: the rest of the ring up to its end. */
  skip: 0,
  /** One turn: a message of `channel`. */
  turn: 1,
  /** A piece of the payload of the next frame of another kind, which was too long for one. */
  piece: 2,
  /** A command, as JSON. */
  command: 3,
} as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** What the two threads share of one ring. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
}

/** @param capacityBytes a power of two. */
export function ringMemory(capacityBytes: number): RingMemory {
  return {
    control: new SharedArrayBuffer(CONTROL_BYTES),
    data: new SharedArrayBuffer(capacityBytes),
  };
}

function aligned(size: number): number {
  return (size + ALIGNMENT - 1) & -ALIGNMENT;
}

export class RingProducer {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;
  /** The largest payload of one frame: several fit, so that neither side waits for the other all the time. */
  readonly #mostBytes: number;
  readonly #wake: (isUrgent: boolean) => void;
  readonly #mayWait: (stalledMs: number) => boolean;
  #head = 0;
  /** What the consumer has let go of, as far as was looked. */
  #tail = 0;

  /**
   * @param wake tells the consumer of a frame; urgent if half of the ring is full.
   * @param mayWait asked while the ring is full, with the time since the consumer last took something; false to give up.
   */
  constructor(
    memory: RingMemory,
    wake: (isUrgent: boolean) => void,
    mayWait: (stalledMs: number) => boolean,
  ) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.data);
    this.#words = new Int32Array(memory.data);
    this.#doubles = new Float64Array(memory.data);
    this.#mask = memory.data.byteLength - 1;
    this.#mostBytes = memory.data.byteLength / 8;
    this.#wake = wake;
    this.#mayWait = mayWait;
  }

  /** Copies one frame into the ring; waits while it is full. Frames to a consumer that is gone are dropped. */
  put(
    kind: FrameKind,
    channel: number,
    sequence: number,
    timeNs: number,
    payload: Uint8Array,
    end: number,
  ): void {
    let start = 0;
    for (; end - start > this.#mostBytes; start += this.#mostBytes) {
      this.#frame(FRAME.piece, channel, sequence, timeNs, payload, start, start + this.#mostBytes);
    }
    this.#frame(kind, channel, sequence, timeNs, payload, start, end);
  }

  #frame(
    kind: FrameKind,
    channel: number,
    sequence: number,
    timeNs: number,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    const size = end - start;
    const total = HEAD_BYTES + aligned(size);
    let at = this.#head & this.#mask;
    const rest = this.#mask + 1 - at;
    if (!this.#makeRoom(total > rest ? rest + total : total)) return;
    const words = this.#words;
    if (total > rest) {
      words[at >> 2] = rest;
      words[(at >> 2) + 1] = FRAME.skip;
      this.#head = (this.#head + rest) | 0;
      at = 0;
    }
    const word = at >> 2;
    words[word] = size;
    words[word + 1] = kind;
    words[word + 2] = channel;
    words[word + 3] = sequence;
    this.#doubles[(at >> 3) + 2] = timeNs;
    this.#bytes.set(payload.subarray(start, end), at + HEAD_BYTES);
    this.#head = (this.#head + total) | 0;
    Atomics.store(this.#control, HEAD, this.#head);
    this.#wake(this.#isHalfFull());
  }

  /** Time for the consumer to look, so that the producer need not wait for it. */
  #isHalfFull(): boolean {
    const half = this.#mask >>> 1;
    if (this.#free() > half) return false;
    this.#tail = Atomics.load(this.#control, TAIL);
    return this.#free() <= half;
  }

  /** Waits until so many bytes are free. @returns false if that will never be. */
  #makeRoom(bytes: number): boolean {
    if (this.#free() >= bytes) return true;
    this.#tail = Atomics.load(this.#control, TAIL);
    return this.#free() >= bytes || this.#waitForRoom(bytes);
  }

  #waitForRoom(bytes: number): boolean {
    let sinceMs = performance.now();
    while (this.#free() < bytes) {
      Atomics.store(this.#control, FULL, 1);
      const tail = Atomics.load(this.#control, TAIL);
      if (tail !== this.#tail) {
        this.#tail = tail;
        sinceMs = performance.now();
        continue;
      }
      if (!this.#mayWait(performance.now() - sinceMs)) return false;
      this.#wake(true);
      Atomics.wait(this.#control, TAIL, tail, WAIT_MS);
    }
    Atomics.store(this.#control, FULL, 0);
    return true;
  }

  #free(): number {
    return this.#mask + 1 - ((this.#head - this.#tail) >>> 0);
  }
}

/** How long a wait for room lasts before the producer looks whether the consumer still lives. */
const WAIT_MS = 100;

/** One frame, as the consumer sees it. */
export class RingConsumer {
  kind: FrameKind = FRAME.skip;
  channel = 0;
  sequence = 0;
  timeNs = 0;
  /** The payload is `bytes` from `start` to `end`; valid until `release`. */
  bytes: Uint8Array;
  start = 0;
  end = 0;
  readonly #control: Int32Array;
  readonly #ring: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;
  #tail = 0;
  #size = 0;
  #pieces: Uint8Array[] = [];

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#ring = new Uint8Array(memory.data);
    this.bytes = this.#ring;
    this.#words = new Int32Array(memory.data);
    this.#doubles = new Float64Array(memory.data);
    this.#mask = memory.data.byteLength - 1;
  }

  /** Steps to the next whole frame; false if there is none yet. Call `release` after each. */
  next(): boolean {
    const head = Atomics.load(this.#control, HEAD);
    while (this.#tail !== head) {
      const at = this.#tail & this.#mask;
      const word = at >> 2;
      const size = this.#words[word] as number;
      const kind = this.#words[word + 1] as FrameKind;
      if (kind === FRAME.skip) {
        this.#letGo(size);
        continue;
      }
      this.#size = HEAD_BYTES + aligned(size);
      this.bytes = this.#ring;
      this.start = at + HEAD_BYTES;
      this.end = this.start + size;
      if (kind === FRAME.piece) {
        this.#pieces.push(this.bytes.slice(this.start, this.end));
        this.release();
        continue;
      }
      this.kind = kind;
      this.channel = this.#words[word + 2] as number;
      this.sequence = (this.#words[word + 3] as number) >>> 0;
      this.timeNs = this.#doubles[(at >> 3) + 2] as number;
      if (this.#pieces.length > 0) this.#join();
      return true;
    }
    return false;
  }

  /** The frame has been dealt with: its room may be used again. */
  release(): void {
    this.#letGo(this.#size);
  }

  #letGo(bytes: number): void {
    this.#tail = (this.#tail + bytes) | 0;
    Atomics.store(this.#control, TAIL, this.#tail);
    // The producer goes on when half of the ring is free: waking it for each frame would cost more than the frame.
    if (Atomics.load(this.#control, FULL) === 0) return;
    const used = (Atomics.load(this.#control, HEAD) - this.#tail) >>> 0;
    if (used <= this.#mask >>> 1) Atomics.notify(this.#control, TAIL);
  }

  #join(): void {
    const whole = Buffer.concat([...this.#pieces, this.bytes.subarray(this.start, this.end)]);
    this.#pieces = [];
    this.bytes = whole;
    this.start = 0;
    this.end = whole.length;
  }
}
