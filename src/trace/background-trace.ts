import { closeSync } from 'node:fs';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { TraceWriteError } from './errors.js';
import { openOutput } from './output-file.js';
import {
  BELL,
  type OpenTrace,
  STATUS,
  STATUS_BYTES,
  THREAD,
  type ThreadData,
  type TraceCommand,
  type TraceFailed,
  WRITTEN_BYTES_AT,
} from './thread-protocol.js';
import { FRAME, type FrameKind, RingProducer, ringMemory } from './trace-ring.js';
import { MAX_MESSAGE_BYTES } from './writer.js';
import { requireWebAssembly } from './zstd.js';

const RING_BYTES = 1024 * 1024;
const START_MS = 20_000;
/** A thread that has not moved for so long will not move again. */
const STALLED_MS = 60_000;
const LOOK_MS = 100;
/** What the thread keeps is small: short-lived views of chunks. */
const YOUNG_GENERATION_MIB = 1;

/** The recording thread of this thread: started with the first trace, and kept. */
class RecordingThread {
  readonly #bell = new SharedArrayBuffer(16);
  readonly #words = new Int32Array(this.#bell);
  readonly #port: MessagePort;
  readonly #traces = new Map<number, BackgroundTrace>();
  #opened = 0;
  #hasStarted: boolean | undefined;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const data: ThreadData = { port: port2, bell: this.#bell };
    const worker = new Worker(new URL('./recording-thread.cjs', import.meta.url), {
      workerData: data,
      transferList: [port2],
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    worker.unref();
    port1.on('message', (failed: TraceFailed) => this.#failed(failed));
    port1.unref();
  }

  /**
   * Waits until the thread runs, so that nothing is lost for longer than it may be: before the first turn is handed over.
   * What leads up to that turn takes a while itself, on another processor.
   *
   * @returns false if the thread does not start; that is waited for once.
   */
  awaitStart(): boolean {
    this.#hasStarted ??= Atomics.wait(this.#words, BELL.started, 0, START_MS) !== 'timed-out';
    return this.#hasStarted;
  }

  open(trace: BackgroundTrace, what: Omit<OpenTrace, 'id'>): void {
    const id = this.#opened++;
    this.#traces.set(id, trace);
    this.#port.postMessage({ id, ...what } satisfies OpenTrace);
    this.wake(false);
  }

  /** Bound, for the ring. */
  readonly wake = (isUrgent: boolean): void => {
    const words = this.#words;
    const state = Atomics.load(words, BELL.state);
    if (state === THREAD.sleeps || (isUrgent && state === THREAD.naps)) {
      Atomics.store(words, BELL.state, THREAD.awake);
      Atomics.notify(words, BELL.state);
    }
  };

  /** Tells the traces of failures whose messages the event loop has not delivered yet. */
  look(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#failed(received.message as TraceFailed);
    }
  }

  #failed({ id, errno, syscall, position }: TraceFailed): void {
    const trace = this.#traces.get(id);
    this.#traces.delete(id);
    trace?.fail({ code: errno, syscall }, position);
  }
}

let shared: RecordingThread | undefined;

/**
 * A trace file that another thread writes: the recorded program only copies its turns into a ring. After a write error
 * (`failed`) every call does nothing: the recording is over, the program that is being recorded is not.
 */
export class BackgroundTrace {
  readonly #path: string;
  readonly #fd: number;
  readonly #thread: RecordingThread;
  readonly #ring: RingProducer;
  readonly #status: Int32Array;
  readonly #written: Float64Array;
  readonly #onError: (error: TraceWriteError) => void;
  readonly #encoder = new TextEncoder();
  #failed: TraceWriteError | undefined;
  #isClosed = false;

  /**
   * @param onError told once, between two turns or in a call of this object.
   * @throws TraceWriteError if the file cannot be opened.
   */
  constructor(path: string, library: string, onError: (error: TraceWriteError) => void) {
    requireWebAssembly();
    shared ??= new RecordingThread();
    this.#thread = shared;
    this.#path = path;
    this.#onError = onError;
    this.#fd = openOutput(path, false);
    const status = new SharedArrayBuffer(STATUS_BYTES);
    this.#status = new Int32Array(status);
    this.#written = new Float64Array(status, WRITTEN_BYTES_AT, 1);
    const ring = ringMemory(RING_BYTES);
    this.#ring = new RingProducer(ring, this.#thread.wake, (stalledMs) => this.#mayWait(stalledMs));
    this.#thread.open(this, { fd: this.#fd, path, library, ring, status });
  }

  get failed(): TraceWriteError | undefined {
    return this.#failed;
  }

  /** Bytes in the file; exact once the trace is closed. */
  get writtenBytes(): number {
    return this.#written[0] ?? 0;
  }

  /** Hands over one turn; its bytes up to `end` are copied at once. */
  turn(channel: number, sequence: number, timeNs: number, bytes: Uint8Array, end: number): void {
    if (end > MAX_MESSAGE_BYTES) {
      this.fail({ code: 'EMSGSIZE' }, this.writtenBytes);
      return;
    }
    if (!this.#thread.awaitStart()) {
      this.#stalled();
      return;
    }
    this.#put(FRAME.turn, channel, sequence, timeNs, bytes, end);
  }

  command(command: TraceCommand): void {
    const bytes = this.#encoder.encode(JSON.stringify(command));
    this.#put(FRAME.command, 0, 0, 0, bytes, bytes.length);
  }

  /** Returns when all is in the file, or cannot be. */
  close(): void {
    if (this.#isClosed) return;
    this.command({ op: 'close' });
    this.#isClosed = true;
    this.#thread.wake(true);
    const untilMs = performance.now() + STALLED_MS;
    while (
      this.#thread.awaitStart() &&
      Atomics.load(this.#status, STATUS.closed) === 0 &&
      performance.now() < untilMs
    ) {
      this.#thread.wake(true);
      Atomics.wait(this.#status, STATUS.closed, 0, LOOK_MS);
    }
    this.#thread.look();
    if (Atomics.load(this.#status, STATUS.closed) === 0) this.#stalled();
    try {
      closeSync(this.#fd);
    } catch (cause) {
      this.fail(cause, this.writtenBytes);
    }
  }

  /** For the thread that heard of it. */
  fail(cause: unknown, position: number): void {
    if (this.#failed !== undefined) return;
    this.#failed = new TraceWriteError(this.#path, position, cause);
    this.#onError(this.#failed);
  }

  #put(
    kind: FrameKind,
    channel: number,
    sequence: number,
    timeNs: number,
    bytes: Uint8Array,
    end: number,
  ): void {
    if (this.#isClosed) throw new TypeError('the trace is closed');
    if (Atomics.load(this.#status, STATUS.failed) === 1) this.#thread.look();
    // The end of a trace that failed for a reason of ours must still reach the thread.
    if (this.#failed !== undefined && kind === FRAME.turn) return;
    this.#ring.put(kind, channel, sequence, timeNs, bytes, end);
  }

  #mayWait(stalledMs: number): boolean {
    if (stalledMs < STALLED_MS) return true;
    this.#stalled();
    return false;
  }

  #stalled(): void {
    this.fail({ code: 'ETIMEDOUT' }, this.writtenBytes);
  }
}
