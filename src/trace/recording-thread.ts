import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { crc32 } from './crc32.js';
import { TraceWriteError } from './errors.js';
import {
  BELL,
  type OpenTrace,
  STATUS,
  THREAD,
  type ThreadData,
  type TraceCommand,
  type TraceFailed,
  WRITTEN_BYTES_AT,
} from './thread-protocol.js';
import { METADATA } from './trace-metadata.js';
import { FRAME, RingConsumer } from './trace-ring.js';
import { TraceWriter } from './writer.js';
import { loadZstd } from './zstd.js';

/*
 * The thread that compresses traces and writes them. It is a module of its own because a worker starts with one (the build
 * bundles it into one file); all it does is synchronous.
 */

/** How often what has come is put into the file: well under the 100 ms that a killed recorder may lose. */
const FLUSH_MS = 40;
const decoder = new TextDecoder();

interface Lane {
  turns: number;
  /** CRC-32 over all turns of the lane, in order. */
  hash: number;
}

/** One trace being written. */
class Trace {
  readonly #port: MessagePort;
  readonly #id: number;
  readonly #ring: RingConsumer;
  readonly #status: Int32Array;
  readonly #writtenBytes: Float64Array;
  readonly #writer: TraceWriter;
  readonly #lanes: Lane[] = [];

  constructor(port: MessagePort, { id, fd, path, library, ring, status }: OpenTrace) {
    this.#port = port;
    this.#id = id;
    this.#ring = new RingConsumer(ring);
    this.#status = new Int32Array(status);
    this.#writtenBytes = new Float64Array(status, WRITTEN_BYTES_AT, 1);
    this.#writer = new TraceWriter({
      fd,
      path,
      library,
      compression: 'zstd',
      onError: (error) => this.#fail(error),
    });
  }

  get isClosed(): boolean {
    return this.#status[STATUS.closed] === 1;
  }

  /** Takes all frames there are. @returns false if there were none. */
  drain(): boolean {
    const ring = this.#ring;
    if (this.isClosed || !ring.next()) return false;
    do {
      try {
        this.#frame();
      } catch (error) {
        this.#fail(error);
      }
      ring.release();
    } while (!this.isClosed && ring.next());
    return true;
  }

  /** Puts all there is into the file. */
  flush(): void {
    if (this.isClosed) return;
    this.#writer.flush();
    this.#writtenBytes[0] = this.#writer.writtenBytes;
  }

  #frame(): void {
    const { kind, channel, sequence, timeNs, bytes, start, end } = this.#ring;
    if (kind === FRAME.command) {
      this.#command(JSON.parse(decoder.decode(bytes.slice(start, end))) as TraceCommand);
      return;
    }
    const lane = this.#lanes[channel] as Lane;
    lane.turns++;
    lane.hash = crc32(bytes.subarray(start, end), lane.hash);
    this.#writer.writeMessage(channel, sequence, timeNs, bytes, start, end);
    this.#writer.maybeFlush(performance.now(), FLUSH_MS);
  }

  #command(command: TraceCommand): void {
    const writer = this.#writer;
    switch (command.op) {
      case 'schema':
        writer.addSchema(command.name, command.encoding, Buffer.from(command.data, 'base64'));
        return;
      case 'channel':
        this.#lanes[writer.addChannel(command.topic, command.schema, 'protobuf')] = {
          turns: 0,
          hash: 0,
        };
        return;
      case 'metadata':
        writer.writeMetadata(command.name, command.entries);
        return;
      case 'end-lane':
        this.#endLane(command);
        return;
      case 'flush':
        writer.flush();
        return;
      case 'close':
        this.#close();
    }
  }

  #endLane({ channel, lane, outcome, detail }: TraceCommand & { op: 'end-lane' }): void {
    const { turns, hash } = this.#lanes[channel] as Lane;
    this.#writer.writeMetadata(METADATA.lane, {
      lane,
      outcome,
      detail,
      turns: String(turns),
      crc32: hash.toString(16).padStart(8, '0'),
    });
  }

  #close(): void {
    try {
      this.#writer.close();
    } finally {
      this.#writtenBytes[0] = this.#writer.writtenBytes;
      Atomics.store(this.#status, STATUS.closed, 1);
      Atomics.notify(this.#status, STATUS.closed);
    }
  }

  /** Says once what went wrong; the frames that still come are dropped by the writer. */
  #fail(error: unknown): void {
    if (Atomics.load(this.#status, STATUS.failed) === 1) return;
    const known = error instanceof TraceWriteError;
    const failed: TraceFailed = {
      id: this.#id,
      errno: known ? error.errno : String(error),
      syscall: known ? error.syscall : 'encode',
      position: known ? error.position : this.#writer.writtenBytes,
    };
    this.#port.postMessage(failed);
    Atomics.store(this.#status, STATUS.failed, 1);
  }
}

/** Serves for ever: the thread ends with the process. */
function serve({ port, bell: memory }: ThreadData): void {
  const bell = new Int32Array(memory);
  // The first turns must not wait for it.
  loadZstd();
  Atomics.store(bell, BELL.started, 1);
  Atomics.notify(bell, BELL.started);
  let traces: Trace[] = [];
  const look = (): boolean => {
    let found = false;
    for (let message = receiveMessageOnPort(port); message !== undefined; ) {
      traces.push(new Trace(port, message.message as OpenTrace));
      found = true;
      message = receiveMessageOnPort(port);
    }
    for (const trace of traces) found = trace.drain() || found;
    return found;
  };
  /** Waits, then takes what has come. @returns whether anything had. */
  const rest = (state: number, forMs?: number): boolean => {
    Atomics.store(bell, BELL.state, state);
    // What came before the state was set did not wake the thread.
    let found = look();
    if (!found) Atomics.wait(bell, BELL.state, state, forMs);
    Atomics.store(bell, BELL.state, THREAD.awake);
    while (look()) found = true;
    return found;
  };
  for (;;) {
    rest(THREAD.sleeps);
    // As long as something comes, the thread looks once in the time that turns may wait: each look costs it a wake-up.
    let isBusy: boolean;
    do {
      isBusy = false;
      const untilMs = performance.now() + FLUSH_MS;
      for (let leftMs = FLUSH_MS; leftMs > 0; leftMs = untilMs - performance.now()) {
        if (rest(THREAD.naps, leftMs)) isBusy = true;
      }
      for (const trace of traces) trace.flush();
      traces = traces.filter((trace) => !trace.isClosed);
    } while (isBusy);
  }
}

serve(workerData as ThreadData);
