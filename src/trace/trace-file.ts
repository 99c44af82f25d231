import type { HalContract } from '../hal/contract/define.js';
import { type ContractSummary, incompatibilities, summarize } from '../hal/contract/schema.js';
import { WireError } from '../hal/contract/wire.js';
import { TraceFormatError } from './errors.js';
import type { MessageCursor } from './message-cursor.js';
import { openTrace, type TraceReader } from './reader.js';
import { type LaneOutcome, METADATA, type ProgramIdentity } from './recording.js';

export interface RecordedLane {
  readonly name: string;
  readonly channelId: number;
  /** Undefined if the recording broke off before the lane's end was written. */
  readonly outcome: LaneOutcome | undefined;
  readonly detail: string;
  /** Turns, by the recorder's count; undefined as above. */
  readonly turns: number | undefined;
  /** CRC-32 over all turns of the lane, by the recorder. */
  readonly crc32: number | undefined;
}

export interface RecordedContract extends ContractSummary {
  readonly slot: number;
}

/** A trace of ours, opened: what it is a recording of, and its lanes. */
export interface TraceFile {
  readonly path: string;
  readonly run: Readonly<Record<string, string>>;
  readonly program: ProgramIdentity;
  readonly contracts: readonly RecordedContract[];
  readonly lanes: readonly RecordedLane[];
  readonly warnings: readonly string[];
  readonly reader: TraceReader;
}

/**
 * Opens a trace and reads what stands about it.
 *
 * @throws TraceFormatError for a file that is damaged, incomplete, foreign, or no recording of a program.
 */
export function openTraceFile(path: string): TraceFile {
  const reader = openTrace(path);
  const records = reader.info.metadata;
  const foreign = (reason: string) => new TraceFormatError('TRACE_FOREIGN', path, 0, reason);
  const one = (name: string): Readonly<Record<string, string>> => {
    const record = records.find((candidate) => candidate.name === name);
    if (record === undefined) {
      throw foreign(`valid MCAP, but without "${name}": it is no recording made by halyard`);
    }
    return Object.fromEntries(record.entries);
  };
  const run = one(METADATA.run);
  const program = one(METADATA.program);
  const ends = records
    .filter((record) => record.name === METADATA.lane)
    .map((record) => Object.fromEntries(record.entries));
  try {
    return {
      path,
      run,
      program: {
        package: program['package'] ?? '',
        export: program['export'] ?? '',
        version: Number(program['version']),
        config: JSON.parse(program['config'] ?? 'null'),
      },
      contracts: Object.values(one(METADATA.contracts))
        .map((text) => JSON.parse(text) as RecordedContract)
        .sort((left, right) => left.slot - right.slot),
      lanes: [...reader.info.channels.values()].map((channel) => {
        const end = ends.find((record) => record['lane'] === channel.topic);
        return {
          name: channel.topic,
          channelId: channel.id,
          outcome: end?.['outcome'] as LaneOutcome | undefined,
          detail: end?.['detail'] ?? '',
          turns: end === undefined ? undefined : Number(end['turns']),
          crc32: end === undefined ? undefined : Number.parseInt(end['crc32'] ?? '', 16),
        };
      }),
      warnings: reader.info.warnings,
      reader,
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw foreign(`its metadata is not readable: ${error.message}`);
  }
}

/** The recorded turns of one lane, in order. */
export function laneSource(trace: TraceFile, lane: RecordedLane): MessageCursor {
  return trace.reader.messages(lane.channelId);
}

/**
 * Reads the turns of one lane with `body`. Checksums can be right where the turns are not: what cannot be decoded then
 * is refused with its place in the file.
 *
 * @throws TraceFormatError
 */
export function readLane<T>(
  trace: TraceFile,
  lane: RecordedLane,
  body: (source: MessageCursor) => T,
): T {
  const source = laneSource(trace, lane);
  try {
    return body(source);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const reason = `lane ${lane.name}, message ${source.sequence}: ${error.message}`;
    throw new TraceFormatError('TRACE_CORRUPT', trace.path, source.position, reason, {
      cause: error,
    });
  }
}

/** Contracts of the program that differ from the recorded ones so that the trace cannot be replayed; with reasons. */
export function contractProblems(trace: TraceFile, present: readonly HalContract[]): string[] {
  const problems: string[] = [];
  trace.contracts.forEach((recorded, slot) => {
    const contract = present[slot];
    if (contract?.halName !== recorded.name) {
      problems.push(
        `contract ${slot} was "${recorded.name}" and is now ${contract === undefined ? 'gone' : `"${contract.halName}"`}`,
      );
    } else problems.push(...incompatibilities(recorded, summarize(contract)));
  });
  return problems;
}
