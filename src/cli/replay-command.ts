import {
  DivergenceError,
  type DivergenceReport,
  formatDivergence,
} from '../hal/replay/divergence.js';
import type { MatchMode } from '../hal/replay/matcher.js';
import type { Finding } from '../program.js';
import type { ReplayObserver } from '../reactor/replay-driver.js';
import { replayLane } from '../run.js';
import { TraceFormatError } from '../trace/errors.js';
import {
  contractProblems,
  firstProblems,
  openTraceFile,
  readLane,
  type TraceFile,
} from '../trace/trace-file.js';
import { EXIT, explain, UsageError } from './failure.js';
import { allHold, showFindings } from './findings.js';
import type { JailCheck, JailFlags, JailReport } from './jail-check.js';
import type { Output } from './output.js';
import { findProgram } from './programs.js';

export interface ReplayFlags {
  readonly match: MatchMode;
  readonly program?: string | undefined;
  /** The jail under which the replay is judged. */
  readonly jail?: JailFlags | undefined;
}

export interface LaneResult {
  readonly lane: string;
  readonly turns: number;
  readonly calls: number;
  readonly outcome: string;
}

export interface ReplayResult {
  readonly file: string;
  readonly match: MatchMode;
  readonly verdict: 'identical' | 'diverged';
  readonly lanes: readonly LaneResult[];
  /** From the first to the last recorded turn. */
  readonly recordedSeconds: number;
  readonly replaySeconds: number;
  readonly divergence: DivergenceReport | undefined;
  /** What the recorded configuration says that a run must show; empty if nothing. */
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
  /** What the jail says of it; undefined if none was asked for, or if it diverged. */
  readonly jail: JailReport | undefined;
}

/** Replays every lane of a trace. A divergence is a result; a damaged file is an error. */
export async function replayFile(path: string, flags: ReplayFlags): Promise<ReplayResult> {
  const trace = openTraceFile(path);
  try {
    return await replayTrace(trace, flags);
  } finally {
    trace.reader.close();
  }
}

async function replayTrace(trace: TraceFile, flags: ReplayFlags): Promise<ReplayResult> {
  const { path } = trace;
  const program = await findProgram(trace.program, flags.program);
  const problems = contractProblems(trace, program.contracts);
  if (problems.length > 0) {
    throw new UsageError(
      `${path}: the contracts have changed since it was recorded: ${firstProblems(problems)}. Record it again, or replay it ` +
        'with the version that recorded it',
    );
  }
  const config = program.parseConfig(trace.program.config);
  const check = program.check?.(config);
  const jail = await jailCheck(flags.jail);
  const recorded = trace.lanes.map(({ name }) => name);
  const started = performance.now();
  const lanes: LaneResult[] = [];
  const span = { first: Number.POSITIVE_INFINITY, last: 0 };
  for (const lane of trace.lanes) {
    const observer: ReplayObserver = {
      turnMatched: (_number, _calls, timeNs) => {
        span.first = Math.min(span.first, timeNs);
        span.last = Math.max(span.last, timeNs);
      },
    };
    const extra = check?.lane === lane.name ? check.modules : [];
    const sink = jail?.sink(program, recorded, lane.name);
    const options = {
      match: flags.match,
      complete: lane.outcome === 'stopped',
      observer,
      extra,
      ...(sink === undefined ? {} : { sink }),
    };
    try {
      const { turns, calls } = readLane(trace, lane, (source) =>
        replayLane(program, lane.name, config, source, options),
      );
      lanes.push({ lane: lane.name, turns, calls, outcome: lane.outcome ?? 'broken off' });
    } catch (error) {
      if (!(error instanceof DivergenceError)) throw error;
      const report = { ...error.report, recordAgain: recordAgain(trace) };
      return result(trace, flags, 'diverged', lanes, span, started, { divergence: report });
    }
  }
  if (lanes.every(({ turns }) => turns === 0)) {
    const reason = 'it holds no turn: the recording broke off before the first';
    throw new TraceFormatError('TRACE_TRUNCATED', path, 0, reason);
  }
  return result(trace, flags, 'identical', lanes, span, started, {
    findings: check?.findings(),
    jail: jail?.report(),
  });
}

/** Policies and their tables are loaded for who asks for them alone: a plain replay starts without. */
async function jailCheck(flags: JailFlags | undefined): Promise<JailCheck | undefined> {
  if (flags === undefined) return undefined;
  const { JailCheck } = await import('./jail-check.js');
  return new JailCheck(flags);
}

function result(
  trace: TraceFile,
  flags: ReplayFlags,
  verdict: ReplayResult['verdict'],
  lanes: readonly LaneResult[],
  span: { first: number; last: number },
  started: number,
  found: {
    divergence?: DivergenceReport;
    findings?: readonly Finding[] | undefined;
    jail?: JailReport | undefined;
  },
): ReplayResult {
  return {
    file: trace.path,
    match: flags.match,
    verdict,
    lanes,
    recordedSeconds: Math.max(0, (span.last - span.first) / 1e9),
    replaySeconds: (performance.now() - started) / 1000,
    divergence: found.divergence,
    findings: found.findings ?? [],
    warnings: trace.warnings,
    jail: found.jail,
  };
}

function recordAgain(trace: TraceFile): string {
  const config = JSON.stringify(trace.program.config);
  return `halyard record --config '${config}' ${trace.path}`;
}

/** @returns the exit code: the worst of all files. */
export async function replayCommand(
  files: readonly string[],
  flags: ReplayFlags,
  output: Output,
): Promise<number> {
  const results: unknown[] = [];
  let exitCode: number = EXIT.ok;
  for (const file of files) {
    try {
      const replayed = await replayFile(file, flags);
      results.push(replayed);
      await show(replayed, output);
      if (isFailed(replayed)) exitCode = Math.max(exitCode, EXIT.failed);
    } catch (error) {
      const { line, exitCode: code, code: name } = explain(error);
      output.warn(line);
      results.push({ file, verdict: 'error', code: name, message: line });
      exitCode = Math.max(exitCode, code);
    }
  }
  output.result(results);
  return exitCode;
}

function isFailed({ verdict, findings, jail }: ReplayResult): boolean {
  return verdict === 'diverged' || !allHold(findings) || jail?.verdict === 'refused';
}

async function show(replayed: ReplayResult, output: Output): Promise<void> {
  for (const warning of replayed.warnings) output.warn(`${replayed.file}: ${warning}`);
  for (const { lane, turns, calls, outcome } of replayed.lanes) {
    output.line(
      `${replayed.file}: lane ${lane}: ${turns} turns, ${calls} calls match (${outcome})`,
    );
  }
  if (replayed.divergence !== undefined) {
    output.line(`${replayed.file}: DIVERGED`);
    output.line(formatDivergence(replayed.divergence));
    return;
  }
  const { recordedSeconds, replaySeconds, match } = replayed;
  showFindings(replayed.findings, output);
  const factor = Math.round(recordedSeconds / replaySeconds);
  output.line(
    `${replayed.file}: identical (${match}); ${recordedSeconds.toFixed(1)} s of run replayed in ` +
      `${(replaySeconds * 1000).toFixed(0)} ms, ${factor} times as fast`,
  );
  if (replayed.jail === undefined) return;
  const { showJail } = await import('./jail-check.js');
  showJail(replayed.file, replayed.jail, output);
}
