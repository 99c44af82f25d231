import type { CallSpec, EventSpec } from '../../hal/contract/define.js';
import type { SyscallUse } from '../../hal/contract/footprint.js';
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
    const tally = new ObservationTally();
    countCalls(trace, lane, new TurnSchema(program.contracts), tally);
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
  tally: ObservationTally,
): void {
  const lanes = trace.lanes.filter(({ name }) => lane === undefined || name.split('#')[0] === lane);
  if (lanes.length === 0) {
    const names = trace.lanes.map(({ name }) => name).join(', ');
    throw new UsageError(`${trace.path} has no lane "${lane}"; it has ${names}`);
  }
  for (const each of lanes) {
    readLane(trace, each, (source) => {
      while (source.next()) {
        const { event, calls } = decodeTurn(schema, source.buffer, source.start, source.end);
        if (event !== undefined) count(event.spec, event.payload, tally);
        for (const { spec, args } of calls) count(spec, args, tally);
      }
    });
  }
}

type Args = Readonly<Record<string, unknown>>;

/** What the C library may make in the place of a system call is in a policy for it, too. */
function count(spec: CallSpec | EventSpec, args: Args, tally: ObservationTally): void {
  const footprint = spec.definition.options.syscalls ?? [];
  if (footprint === 'node') return;
  for (const use of footprint.flatMap((made) => [made, ...made.instead])) {
    tally.add(use.name, namedArguments(use, args));
  }
}

/** Those that a constant's name tells: they choose what the system call does, as a length or an offset does not. */
function namedArguments(use: SyscallUse, args: Args): ReadonlyMap<number, ObservedValue> {
  const named = new Map<number, ObservedValue>();
  for (const [place, known] of Object.entries(use.args ?? {})) {
    // Names are the same everywhere; what they stand for is each architecture's.
    const told = typeof known === 'function' ? known(args as never, 'x86_64') : known;
    if (typeof told === 'string') named.set(Number(place), { text: told, chooses: true });
  }
  return named;
}
