import type { HalContract } from '../hal/contract/define.js';
import { type ContractSummary, incompatibilities, summarize } from '../hal/contract/schema.js';
import { WireError } from '../hal/contract/wire.js';
import { TraceFormatError } from './errors.js';
import { HALYARD_PROFILE } from './mcap-records.js';
import type { MessageCursor } from './message-cursor.js';
import { openTrace, type TraceReader } from './reader.js';
import type { ProgramIdentity } from './recording.js';
import { type LaneOutcome, METADATA } from './trace-metadata.js';

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
 * Opens a trace, checks that none of its bytes has changed, and reads what stands about it.
 *
 * @throws TraceFormatError for a file that is damaged, incomplete, foreign, or no recording of a program.
 */
export function openTraceFile(path: string): TraceFile {
  const reader = openTrace(path);
  try {
    reader.verifyBytes();
    return describe(path, reader);
  } catch (error) {
    reader.close();
    throw error;
  }
}

function describe(path: string, reader: TraceReader): TraceFile {
  const records = reader.info.metadata;
  const one = (name: string): Readonly<Record<string, string>> => {
    const record = records.find((candidate) => candidate.name === name);
    if (record === undefined) throw without(path, reader, name);
    return Object.fromEntries(record.entries);
  };
  const run = one(METADATA.run);
  const program = one(METADATA.program);
  const ends = records
    .filter((record) => record.name === METADATA.lane)
    .map((record) => Object.fromEntries(record.entries));
  return {
    path,
    run,
    program: {
      package: program['package'] ?? '',
      export: program['export'] ?? '',
      version: Number(program['version']),
      config: parsed(path, METADATA.program, program['config'] ?? 'null'),
    },
    contracts: Object.values(one(METADATA.contracts))
      .map((text) => recordedContract(path, parsed(path, METADATA.contracts, text)))
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
}

function without(path: string, reader: TraceReader, name: string): TraceFormatError {
  const [code, reason] =
    reader.info.profile === HALYARD_PROFILE
      ? (['TRACE_TRUNCATED', `no "${name}": the recording broke off before it had begun`] as const)
      : (['TRACE_FOREIGN', `valid MCAP without "${name}": not made by halyard`] as const);
  return new TraceFormatError(code, path, 0, reason);
}

/** @throws TraceFormatError for what is not JSON, or nested so deep that nothing can be done with it. */
function parsed(path: string, name: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    JSON.stringify(value);
    return value;
  } catch (error) {
    throw unreadable(path, name, error instanceof Error ? error.message : String(error));
  }
}

function unreadable(path: string, name: string, reason: string): TraceFormatError {
  return new TraceFormatError('TRACE_CORRUPT', path, 0, `"${name}" is not readable: ${reason}`);
}

/** @throws TraceFormatError for what is no summary of a contract. */
function recordedContract(path: string, value: unknown): RecordedContract {
  const contract = value as Partial<RecordedContract> | null;
  const isWhole =
    Number.isInteger(contract?.slot) &&
    typeof contract?.name === 'string' &&
    typeof contract.fingerprint === 'string' &&
    Array.isArray(contract.entries) &&
    contract.entries.every((entry: unknown) => isEntry(entry));
  if (!isWhole) throw unreadable(path, METADATA.contracts, 'it is no summary of a contract');
  return contract as RecordedContract;
}

function isEntry(value: unknown): boolean {
  const entry = value as Partial<ContractSummary['entries'][number]> | null;
  return (
    Number.isInteger(entry?.index) &&
    typeof entry?.name === 'string' &&
    (entry.kind === 'call' || entry.kind === 'event') &&
    Array.isArray(entry.fields)
  );
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

const SHOWN_PROBLEMS = 3;

/** A few of many problems, and how many more there are. */
export function firstProblems(problems: readonly string[]): string {
  const shown = problems.slice(0, SHOWN_PROBLEMS).join('; ');
  const rest = problems.length - SHOWN_PROBLEMS;
  return rest > 0 ? `${shown}; and ${rest} more such differences` : shown;
}
