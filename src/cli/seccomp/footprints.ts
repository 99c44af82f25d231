import type { CallSpec, EventSpec } from '../../hal/contract/define.js';
import type { SyscallUse } from '../../hal/contract/footprint.js';
import { TurnSchema } from '../../hal/contract/schema.js';
import { type DecodedTurn, decodeTurn } from '../../hal/replay/turn-decoder.js';
import { Seccomp } from '../../hal/seccomp.js';
import { laneName } from '../../program.js';
import type { Refused } from '../../programs/device-jail.js';
import {
  ObservationTally,
  type ObservedRun,
  type ObservedValue,
} from '../../seccomp/learn/observation.js';
import { observeRefused } from '../../seccomp/learn/refused-calls.js';
import { openTraceFile, readLane, type TraceFile } from '../../trace/trace-file.js';
import { UsageError } from '../failure.js';
import { findProgram } from '../programs.js';

/**
 * The system calls behind the HAL calls of a recording, as the contracts declare them, and those that a jail which only
 * logs did not allow. What Node makes itself is among the latter alone.
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
    const jail = new JailLog();
    // A supervisor is told in its own lane what another does.
    const isJailed = lane === undefined || program.lanes[lane]?.jailed !== undefined;
    const schema = new TurnSchema(program.contracts);
    for (const each of wantedLanes(trace, lane, isJailed)) {
      readLane(trace, each, (source) => {
        while (source.next()) {
          const turn = decodeTurn(schema, source.buffer, source.start, source.end);
          if (isChosen(each.name, lane)) countTurn(turn, tally);
          if (isJailed) jail.read(turn);
        }
      });
    }
    const passed = observeRefused(jail.passed);
    const observations = [...tally.observations, ...passed.observations];
    if (observations.length === 0) throw new UsageError(`${file}: no call in it makes a syscall`);
    const remarks = [...passed.remarks, ...jail.remarks];
    return { observations, architecture: undefined, remarks };
  } finally {
    trace.reader.close();
  }
}

function isChosen(name: string, lane: string | undefined): boolean {
  return lane === undefined || laneName(name) === lane;
}

/** The chosen ones, or all if what is refused may be in another. @throws UsageError */
function wantedLanes(trace: TraceFile, lane: string | undefined, all: boolean): TraceFile['lanes'] {
  const chosen = trace.lanes.filter(({ name }) => isChosen(name, lane));
  if (chosen.length > 0) return all ? trace.lanes : chosen;
  const names = trace.lanes.map(({ name }) => name).join(', ');
  throw new UsageError(`${trace.path} has no lane "${lane}"; it has ${names}`);
}

function countTurn({ event, calls }: DecodedTurn, tally: ObservationTally): void {
  if (event !== undefined) count(event.spec, event.payload, tally);
  for (const { spec, args } of calls) count(spec, args, tally);
}

const isOfSeccomp = (spec: CallSpec | EventSpec, name: string): boolean =>
  spec.contract.halName === Seccomp.halName && spec.name === name;

/** What a jail did not allow, by what its supervisor answered. */
class JailLog {
  readonly passed: Refused[] = [];
  readonly #waiting = new Map<number, Refused>();
  #failed = 0;

  read({ event, calls }: DecodedTurn): void {
    if (event !== undefined && isOfSeccomp(event.spec, 'refused')) {
      const refused = event.payload as unknown as Refused;
      this.#waiting.set(refused.refusal, refused);
    }
    for (const { spec, args } of calls) {
      if (!isOfSeccomp(spec, 'answer')) continue;
      const { refusal, verdict } = args as unknown as Parameters<Seccomp['answer']>[0];
      const refused = this.#waiting.get(refusal);
      this.#waiting.delete(refusal);
      if (refused === undefined) continue;
      if (verdict === 'pass') this.passed.push(refused);
      else this.#failed += 1;
    }
  }

  get remarks(): readonly string[] {
    const passed = this.passed.length;
    const known =
      passed === 0
        ? 'only what HAL calls do is known, and not what Node does itself: record with --jail log and a strict policy, or let strace see it'
        : `what HAL calls do is known, and the ${passed} calls that the jail did not allow; those of Node that it allowed are missing`;
    if (this.#failed === 0) return [known];
    return [
      known,
      `${this.#failed} calls that the jail refused are not learned; --jail log lets them pass`,
    ];
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
