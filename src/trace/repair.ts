import { type ByteSource, fileSource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import { Catalogue } from './catalogue.js';
import { DamageScan, type IntactRecord, type RepairDamage } from './damage-scan.js';
import { TraceFormatError } from './errors.js';
import { DEFAULT_LIMITS, type TraceLimits } from './limits.js';
import {
  HALYARD_PROFILE,
  HEADER_METADATA_NAME,
  MAGIC,
  Opcode,
  type TraceHeader,
} from './mcap-records.js';
import { readEnd, readHeaderRecord, startsWithMagic, type TraceEnd } from './open-trace.js';
import { readMetadata } from './record-fields.js';
import { RecordWalker } from './record-walker.js';
import { type Diagnosis, loadRecord, RepairCopy, type RepairReport } from './repair-copy.js';
import { readSummary } from './summary-reader.js';

const UNKNOWN_LIBRARY = 'unknown';

export type { RepairDamage } from './damage-scan.js';
export type { ChannelRecovery, RepairReport } from './repair-copy.js';

/**
 * Copies every intact chunk, metadata record and attachment of a damaged or unfinished trace into
 * a new, complete one. The input is only read; `outPath` must not exist.
 * @throws TraceFormatError if nothing of a trace can be found; TraceWriteError if the new file
 *   cannot be made.
 */
export function repairTrace(
  inPath: string,
  outPath: string,
  limits: Partial<TraceLimits> = {},
): RepairReport {
  const source = fileSource(inPath);
  try {
    const bounds = { ...DEFAULT_LIMITS, ...limits };
    const diagnosis = diagnose(source, bounds);
    return new RepairCopy(source, bounds, diagnosis, outPath).run();
  } finally {
    source.close();
  }
}

function diagnose(source: ByteSource, limits: TraceLimits): Diagnosis {
  if (source.size === 0) {
    throw new TraceFormatError('TRACE_EMPTY', source.file, 0, 'the file is empty');
  }
  const damages: RepairDamage[] = [];
  const note = (position: number, reason: string): void => {
    damages.push({ position, bytes: 0, reason, turnsLost: undefined });
  };
  if (!startsWithMagic(source)) note(0, 'the MCAP magic at the start is damaged');
  const head = tolerate(note, () => readHeaderRecord(source, limits));
  const dataStart = head?.dataStart ?? MAGIC.length;
  const catalogue = new Catalogue();
  const end = tolerate(note, () => readEnd(source, dataStart));
  const turnsExpected = end && tolerate(note, () => expectedTurns(source, limits, catalogue, end));
  const scan = new DamageScan(source, limits, catalogue, end?.dataEndAt ?? source.size);
  scan.run(dataStart);
  damages.push(...scan.damages);
  const headerCopy = findHeaderCopy(source, scan.intact);
  refuseForeign(source, scan, head?.header, headerCopy);
  if (damages.length === 0 && end !== undefined) checkDataCrc(source, end, note);
  damages.sort((a, b) => a.position - b.position);
  const library = headerCopy?.library ?? head?.header.library ?? UNKNOWN_LIBRARY;
  return { library, catalogue, intact: scan.intact, damages, turnsExpected };
}

/** Runs a step that may meet damage; notes it and goes on. */
function tolerate<T>(
  note: (position: number, reason: string) => void,
  step: () => T,
): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof TraceFormatError) || error.cause !== undefined) throw error;
    note(error.position, error.reason);
    return undefined;
  }
}

function expectedTurns(
  source: ByteSource,
  limits: TraceLimits,
  catalogue: Catalogue,
  end: TraceEnd,
): number | undefined {
  return readSummary(source, limits, catalogue, end, true, () => {}).statistics?.messageCount;
}

function findHeaderCopy(
  source: ByteSource,
  intact: readonly IntactRecord[],
): TraceHeader | undefined {
  const record = intact.find(({ opcode }) => opcode === Opcode.metadata);
  if (record === undefined) return undefined;
  const { name, entries } = readMetadata(
    loadRecord(new ByteWindow(source), source, record, 'metadata'),
    record.position,
    true,
  );
  const profile = entries.get('profile');
  const library = entries.get('library');
  if (name !== HEADER_METADATA_NAME || profile === undefined || library === undefined) {
    return undefined;
  }
  return { profile, library };
}

function refuseForeign(
  source: ByteSource,
  scan: DamageScan,
  header: TraceHeader | undefined,
  headerCopy: TraceHeader | undefined,
): void {
  if (headerCopy !== undefined) return;
  if (header === undefined && scan.intact.length === 0) {
    const reason = 'not a trace, or nothing is left of it';
    throw new TraceFormatError('TRACE_FOREIGN', source.file, 0, reason);
  }
  if (header !== undefined && header.profile !== HALYARD_PROFILE) {
    const reason = `written by ${JSON.stringify(header.library)}, not by Halyard; use "mcap recover"`;
    throw new TraceFormatError('TRACE_UNSUPPORTED', source.file, 0, reason);
  }
}

/** Damage that no record's own checksum shows, say in a message index. */
function checkDataCrc(
  source: ByteSource,
  end: TraceEnd,
  note: (position: number, reason: string) => void,
): void {
  const actual = new RecordWalker(source, 0, end.dataEndAt).crcThrough(end.dataEndAt);
  if (actual !== end.dataCrc) {
    note(end.dataEndAt, 'the CRC of the data section does not match, yet every turn is intact');
  }
}
