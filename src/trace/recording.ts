import { randomUUID } from 'node:crypto';
import type { HalContract } from '../hal/contract/define.js';
import { fileDescriptorSet, TURN_MESSAGE } from '../hal/contract/descriptor.js';
import { summarize, TurnSchema } from '../hal/contract/schema.js';
import type { TurnSink } from '../hal/record/turn-encoder.js';
import { BackgroundTrace } from './background-trace.js';
import type { TraceWriteError } from './errors.js';
import { type LaneOutcome, METADATA } from './trace-metadata.js';

/** The id of the one schema. */
const SCHEMA = 1;

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

/** A lane's turns on their way into the file. */
class LaneSink implements TurnSink {
  readonly channel: number;
  readonly #trace: BackgroundTrace;

  constructor(trace: BackgroundTrace, channel: number) {
    this.#trace = trace;
    this.channel = channel;
  }

  turn(number: number, timeNs: number, bytes: Uint8Array, end: number): void {
    this.#trace.turn(this.channel, number, timeNs, bytes, end);
  }
}

/** A trace that is being written: one file, a lane for each process incarnation. */
export class Recording {
  readonly #trace: BackgroundTrace;
  readonly #lanes = new Map<string, LaneSink>();

  /** @throws TraceWriteError if the file cannot be opened. */
  constructor(options: RecordingOptions) {
    const { path, program, contracts, library, machine, onError } = options;
    const trace = new BackgroundTrace(path, library, onError);
    this.#trace = trace;
    const metadata = (name: string, entries: Readonly<Record<string, string>>) =>
      trace.command({ op: 'metadata', name, entries });
    metadata(METADATA.run, { id: randomUUID(), library, ...machine });
    metadata(METADATA.program, {
      package: program.package,
      export: program.export,
      version: String(program.version),
      config: JSON.stringify(program.config),
    });
    const summaries = contracts.map((contract, slot) => [
      contract.halName,
      JSON.stringify({ slot, ...summarize(contract) }),
    ]);
    metadata(METADATA.contracts, Object.fromEntries(summaries));
    const descriptors = Buffer.from(fileDescriptorSet(new TurnSchema(contracts)));
    trace.command({
      op: 'schema',
      name: TURN_MESSAGE,
      encoding: 'protobuf',
      data: descriptors.toString('base64'),
    });
    trace.command({ op: 'flush' });
  }

  get failed(): TraceWriteError | undefined {
    return this.#trace.failed;
  }

  get writtenBytes(): number {
    return this.#trace.writtenBytes;
  }

  /** Opens a lane: `main`, `device`, `device#2`. */
  lane(name: string): TurnSink {
    // Channels are numbered in the order in which they are added, by the thread as here.
    const sink = new LaneSink(this.#trace, this.#lanes.size);
    this.#trace.command({ op: 'channel', topic: name, schema: SCHEMA });
    this.#lanes.set(name, sink);
    return sink;
  }

  /** Says how a lane ended. Call once for each. */
  endLane(name: string, outcome: LaneOutcome, detail = ''): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new TypeError(`no lane "${name}" was opened`);
    this.#trace.command({ op: 'end-lane', channel: lane.channel, lane: name, outcome, detail });
  }

  /** Ends the file. */
  close(): void {
    this.#trace.close();
  }
}
