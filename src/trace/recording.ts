import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { HalContract } from '../hal/contract/define.js';
import { fileDescriptorSet, TURN_MESSAGE } from '../hal/contract/descriptor.js';
import { summarize, TurnSchema } from '../hal/contract/schema.js';
import type { TurnSink } from '../hal/record/turn-encoder.js';
import type { TraceWriteError } from './errors.js';
import { TraceWriter } from './writer.js';

/** Names of the metadata records of a trace. */
export const METADATA = {
  run: 'halyard.run',
  program: 'halyard.program',
  contracts: 'halyard.contracts',
  lane: 'halyard.lane',
} as const;

/** What was recorded: enough to build it again. */
export interface ProgramIdentity {
  readonly package: string;
  readonly export: string;
  readonly version: number;
  readonly config: unknown;
}

export interface RecordingOptions {
  readonly path: string;
  readonly program: ProgramIdentity;
  readonly contracts: readonly HalContract[];
  /** Name and version of the recording software. */
  readonly library: string;
  /** Facts of the machine: guest architecture, kernel, page size. */
  readonly machine: Readonly<Record<string, string>>;
  /** Told once, when the trace can no longer be written. The recorded program is not affected. */
  readonly onError: (error: TraceWriteError) => void;
}

/** How a lane ended. */
export type LaneOutcome =
  /** The program stopped by itself. */
  | 'stopped'
  /** A handler threw; the last turn has the error. */
  | 'failed'
  /** The process was ended from outside, or its stream broke off. */
  | 'killed';

/** Well under the 100 ms that a killed recorder may lose. */
const FLUSH_MS = 40;

class LaneSink implements TurnSink {
  turns = 0;
  /** CRC-32 over all turns of the lane, in order. */
  hash = 0;
  private readonly recording: Recording;
  private readonly channel: number;

  constructor(recording: Recording, channel: number) {
    this.recording = recording;
    this.channel = channel;
  }

  turn(number: number, timeNs: number, bytes: Uint8Array, end: number): void {
    this.turns++;
    this.hash = crc32(bytes.subarray(0, end), this.hash);
    this.recording.write(this.channel, number, timeNs, bytes, end);
  }

  waited(): void {
    this.recording.flushIfDue();
  }
}

/** A trace that is being written: one file, a lane for each process incarnation. */
export class Recording {
  private readonly writer: TraceWriter;
  private readonly schemaId: number;
  private readonly lanes = new Map<string, LaneSink>();
  private timer: NodeJS.Timeout | undefined;
  private lastFlushMs = 0;

  constructor(options: RecordingOptions) {
    const { path, program, contracts, library, machine, onError } = options;
    this.writer = new TraceWriter({ path, library, compression: 'zstd', onError });
    this.writer.writeMetadata(METADATA.run, { id: randomUUID(), library, ...machine });
    this.writer.writeMetadata(METADATA.program, {
      package: program.package,
      export: program.export,
      version: String(program.version),
      config: JSON.stringify(program.config),
    });
    const summaries = contracts.map((contract, slot) => [
      contract.halName,
      JSON.stringify({ slot, ...summarize(contract) }),
    ]);
    this.writer.writeMetadata(METADATA.contracts, Object.fromEntries(summaries));
    const descriptors = fileDescriptorSet(new TurnSchema(contracts));
    this.schemaId = this.writer.addSchema(TURN_MESSAGE, 'protobuf', descriptors);
    this.writer.flush();
  }

  get failed(): TraceWriteError | undefined {
    return this.writer.failed;
  }

  get writtenBytes(): number {
    return this.writer.writtenBytes;
  }

  get turnCount(): number {
    return this.writer.messageCount;
  }

  /** Opens a lane: `main`, `device`, `device#2`. */
  lane(name: string): TurnSink {
    const channel = this.writer.addChannel(name, this.schemaId, 'protobuf');
    const sink = new LaneSink(this, channel);
    this.lanes.set(name, sink);
    return sink;
  }

  /** Says how a lane ended. Call once for each. */
  endLane(name: string, outcome: LaneOutcome, detail = ''): void {
    const lane = this.lanes.get(name);
    if (lane === undefined) throw new TypeError(`no lane "${name}" was opened`);
    this.writer.writeMetadata(METADATA.lane, {
      lane: name,
      outcome,
      detail,
      turns: String(lane.turns),
      crc32: lane.hash.toString(16).padStart(8, '0'),
    });
  }

  write(channel: number, number: number, timeNs: number, bytes: Uint8Array, end: number): void {
    this.writer.writeMessage(channel, number, timeNs, bytes, 0, end);
    // A busy loop may keep the timer from running: then time is looked at here.
    const now = performance.now();
    if (now - this.lastFlushMs >= FLUSH_MS) this.flush();
    else if (this.timer === undefined) {
      this.timer = setTimeout(() => this.flush(), FLUSH_MS);
    }
  }

  /** Within a turn of many calls no timer runs: the turns before it must not wait for its end. */
  flushIfDue(): void {
    if (this.timer !== undefined && performance.now() - this.lastFlushMs >= FLUSH_MS) this.flush();
  }

  /** Puts all that was written so far into the file. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.lastFlushMs = performance.now();
    this.writer.flush();
  }

  /** Ends the file. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writer.close();
  }
}
