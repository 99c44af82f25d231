import { TurnSchema } from '../hal/contract/schema.js';
import { formatCall, formatEvent } from '../hal/replay/format.js';
import { type DecodedTurn, decodeTurn } from '../hal/replay/turn-decoder.js';
import {
  laneSource,
  openTraceFile,
  type RecordedLane,
  readLane,
  type TraceFile,
} from '../trace/trace-file.js';
import { EXIT, UsageError } from './failure.js';
import type { Output } from './output.js';
import { findProgram } from './programs.js';

export interface InspectFlags {
  readonly turn?: number | undefined;
  readonly lane?: string | undefined;
  readonly program?: string | undefined;
}

/** Says what a trace is, or shows one turn of it call by call. */
export async function inspectCommand(
  file: string,
  flags: InspectFlags,
  output: Output,
): Promise<number> {
  const trace = openTraceFile(file);
  const lane = laneNamed(trace, flags.lane ?? 'main');
  if (flags.turn === undefined) {
    overview(trace, output);
    return EXIT.ok;
  }
  const program = await findProgram(trace.program, flags.program);
  const turn = findTurn(trace, lane, flags.turn, new TurnSchema(program.contracts));
  showTurn(turn, output);
  return EXIT.ok;
}

function laneNamed(trace: TraceFile, name: string): RecordedLane {
  const lane = trace.lanes.find((candidate) => candidate.name === name);
  if (lane !== undefined) return lane;
  const names = trace.lanes.map((candidate) => candidate.name).join(', ');
  throw new UsageError(`${trace.path} has no lane "${name}"; it has ${names}`);
}

function findTurn(
  trace: TraceFile,
  lane: RecordedLane,
  number: number,
  schema: TurnSchema,
): DecodedTurn {
  return readLane(trace, lane, (source) => {
    let count = 0;
    while (source.next()) {
      if (count++ === number) return decodeTurn(schema, source.buffer, source.start, source.end);
    }
    throw new UsageError(
      `lane ${lane.name} of ${trace.path} has the turns 0 to ${count - 1}, not ${number}`,
    );
  });
}

function overview(trace: TraceFile, output: Output): void {
  const { run, program, lanes, contracts, warnings } = trace;
  const counted = lanes.map((lane) => ({ ...lane, turns: lane.turns ?? countTurns(trace, lane) }));
  output.line(`${trace.path}`);
  output.line(`  run        ${run['id'] ?? '?'}, recorded by ${run['library'] ?? '?'}`);
  for (const [name, value] of Object.entries(run)) {
    if (name !== 'id' && name !== 'library' && !name.startsWith('halyard.')) {
      output.line(`  ${name.padEnd(10)} ${value}`);
    }
  }
  output.line(`  program    ${program.export} of ${program.package}, version ${program.version}`);
  output.line(`  config     ${JSON.stringify(program.config)}`);
  output.line(`  contracts  ${contracts.map((c) => `${c.name} (${c.fingerprint})`).join(', ')}`);
  for (const { name, turns, outcome, detail } of counted) {
    const end =
      outcome === undefined ? 'broken off' : detail === '' ? outcome : `${outcome}: ${detail}`;
    output.line(`  lane       ${name}: ${turns} turns, ${end}`);
  }
  for (const warning of warnings) output.warn(warning);
  output.result({ file: trace.path, run, program, contracts, lanes: counted, warnings });
}

function countTurns(trace: TraceFile, lane: RecordedLane): number {
  const source = laneSource(trace, lane);
  let count = 0;
  while (source.next()) count++;
  return count;
}

function showTurn(turn: DecodedTurn, output: Output): void {
  const { number, timeNs, event, calls, failure } = turn;
  const cause = event === undefined ? 'start-up' : formatEvent(event.spec, event.payload);
  output.line(`turn ${number} at ${(timeNs / 1e9).toFixed(6)} s: ${cause}`);
  calls.forEach((call, index) => {
    output.line(`  ${String(index).padStart(3)}  ${formatCall(call)}`);
  });
  if (failure !== undefined) output.line(`  the handler failed: ${failure.message}`);
  output.result({
    number,
    timeNs,
    event:
      event === undefined
        ? undefined
        : { contract: event.spec.contract.halName, name: event.spec.name, payload: event.payload },
    calls: calls.map(({ spec, args, outcome }) => ({
      contract: spec.contract.halName,
      name: spec.name,
      args,
      outcome,
    })),
    failure,
  });
}
