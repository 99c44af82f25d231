import type { CallSpec, SyscallUse } from '../../hal/contract/define.js';
import { TurnSchema } from '../../hal/contract/schema.js';
import { decodeTurn } from '../../hal/replay/turn-decoder.js';
import {
  ObservationTally,
  type ObservedRun,
  type ObservedValue,
} from '../../seccomp/learn/observation.js';
import { openTraceFile, readLane, type TraceFile } from '../../trace/trace-file.js';
import { UsageError } from '../failure.js';
import { findProgram } from '../programs.js';

/**
 * The system calls behind the HAL calls of a recording, as the contracts declare them. Node's own are not among them.
 *
 * @param lane `device` stands for `device#2` too, the same process started again; undefined: all lanes.
 * @throws UsageError, TraceFormatError
 */
export async function footprintsOf(
  file: string,
  lane: string | undefined,
  programModule: string | undefined,
): Promise<ObservedRun> {
  const trace = openTraceFile(file);
  try {
    const program = await findProgram(trace.program, programModule);
    const counts = countCalls(trace, lane, new TurnSchema(program.contracts));
    const tally = new ObservationTally();
    for (const [call, count] of counts) {
      for (const use of call.definition.options.syscalls ?? []) {
        tally.add(use.name, declaredArguments(use), count);
      }
    }
    const { observations } = tally;
    if (observations.length === 0) throw new UsageError(`${file}: no call in it makes a syscall`);
    return {
      observations,
      architecture: undefined,
      remarks: [
        "only what HAL calls do is known: Node's own syscalls are not in a recording (strace has them)",
      ],
    };
  } finally {
    trace.reader.close();
  }
}

function countCalls(
  trace: TraceFile,
  lane: string | undefined,
  schema: TurnSchema,
): ReadonlyMap<CallSpec, number> {
  const lanes = trace.lanes.filter(({ name }) => lane === undefined || name.split('#')[0] === lane);
  if (lanes.length === 0) {
    const names = trace.lanes.map(({ name }) => name).join(', ');
    throw new UsageError(`${trace.path} has no lane "${lane}"; it has ${names}`);
  }
  const counts = new Map<CallSpec, number>();
  for (const each of lanes) {
    readLane(trace, each, (source) => {
      while (source.next()) {
        const turn = decodeTurn(schema, source.buffer, source.start, source.end);
        for (const { spec } of turn.calls) counts.set(spec, (counts.get(spec) ?? 0) + 1);
      }
    });
  }
  return counts;
}

function declaredArguments({ args = {} }: SyscallUse): ReadonlyMap<number, ObservedValue> {
  return new Map(
    Object.entries(args).map(([place, value]) => [
      Number(place),
      { text: String(value), chooses: true },
    ]),
  );
}
