import { parseArgs } from 'node:util';
import { BYTES_PER_MIB } from '../src/hal/contract/units.js';
import { type ColdStartFigures, coldStartFigures } from './cold-start.js';
import {
  type EngineFigures,
  engineFigures,
  type JitlessFigures,
  jitlessFigures,
} from './engine-figures.js';
import type { HalCallFigures } from './hal-call.js';
import { type Machine, machine } from './machine.js';
import { withTempDir } from './measure.js';
import { nativeFigures } from './native-figures.js';
import type { ReclaimFigures } from './reclaim.js';
import { type SeccompFigures, seccompFigures } from './seccomp-figures.js';
import { seccompRows } from './seccomp-rows.js';
import { type Skipped, wasSkipped } from './skipped.js';
import { formatTable, type Row } from './table.js';

const DEFAULT_TURNS = 100_000;

interface Report {
  readonly machine: Machine;
  readonly engine: EngineFigures;
  readonly jitless: JitlessFigures;
  readonly coldStart: ColdStartFigures | Skipped;
  readonly halCall: HalCallFigures | Skipped;
  readonly reclaim: ReclaimFigures | Skipped;
  readonly seccomp: SeccompFigures;
}

function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`bench: ${what}\n`);
}

async function measure(turns: number): Promise<Report> {
  const described = machine();
  return withTempDir(async (directory) => {
    const engine = engineFigures(directory, turns, progress);
    progress('without a compiler');
    const jitless = jitlessFigures(directory, turns);
    progress('cold start');
    const coldStart = coldStartFigures();
    progress('seccomp');
    const seccomp = seccompFigures();
    const native = await nativeFigures(directory, progress);
    return { machine: described, engine, jitless, coldStart, seccomp, ...native };
  });
}

/** One object: a figure that was not measured is null, and `skipped` says why. */
function toJson({
  machine,
  engine,
  jitless,
  coldStart,
  halCall,
  reclaim,
  seccomp,
}: Report): object {
  const skipped: Record<string, string> = {};
  const figures: Record<string, unknown> = {
    coldStartRatio: null,
    halCallRatio: null,
    reclaimRatioAscending: null,
    reclaimRatioShuffled: null,
  };
  for (const [name, part] of Object.entries({ coldStart, halCall, reclaim })) {
    if (wasSkipped(part)) skipped[name] = part.skipped;
    else Object.assign(figures, part);
  }
  return { ...engine, ...jitless, ...figures, ...seccomp, machine, skipped };
}

function rows({ engine, jitless, coldStart, halCall, reclaim, seccomp }: Report): Row[] {
  const ratio = { unit: '', digits: 2 };
  const memory = { unit: 'MiB', digits: 0 };
  const goalOfMemory = { kind: 'at most', value: 100e6 / BYTES_PER_MIB } as const;
  const cold = wasSkipped(coldStart) ? undefined : coldStart;
  const call = wasSkipped(halCall) ? undefined : halCall;
  const given = wasSkipped(reclaim) ? undefined : reclaim;
  const why = (part: object) => (wasSkipped(part) ? { note: part.skipped } : {});
  const mib = (bytes: number) => bytes / BYTES_PER_MIB;
  return [
    {
      name: 'replay from file, with matching',
      value: engine.replayCallsPerSecond / 1e6,
      unit: 'M calls/s',
      digits: 2,
      goal: { kind: 'at least', value: 3 },
      note: `best run ${(engine.replayCallsPerSecondBest / 1e6).toFixed(2)}; by processor time ${(engine.replayCallsPerCpuSecond / 1e6).toFixed(2)}`,
    },
    {
      name: 'record, above the bare program',
      value: engine.recordNsPerCall,
      unit: 'ns/call',
      digits: 0,
      goal: { kind: 'at most', value: 250 },
      note: `best runs ${engine.recordNsPerCallBest.toFixed(0)}; by processor time ${engine.recordCpuNsPerCall.toFixed(0)}; bare ${engine.bareNsPerCall.toFixed(0)}`,
    },
    {
      name: 'trace',
      value: engine.traceBytesPerCall,
      unit: 'bytes/call',
      digits: 1,
      goal: { kind: 'at most', value: 30 },
    },
    { name: 'record, memory', value: mib(engine.recordMemoryBytes), ...memory },
    {
      name: 'record, memory over ten times the turns',
      value: mib(engine.recordMemoryTenfoldBytes),
      ...memory,
      goal: goalOfMemory,
    },
    { name: 'replay, memory', value: mib(engine.replayMemoryBytes), ...memory },
    {
      name: 'replay, memory over ten times the turns',
      value: mib(engine.replayMemoryTenfoldBytes),
      ...memory,
      goal: goalOfMemory,
    },
    {
      name: 'record --jitless, raw turns',
      value: jitless.jitlessRecordNsPerCall,
      unit: 'ns/call',
      digits: 0,
    },
    {
      name: 'replay --jitless, raw turns',
      value: jitless.jitlessReplayCallsPerSecond / 1e6,
      unit: 'M calls/s',
      digits: 2,
    },
    {
      name: 'reclaim against C, ascending',
      value: given?.reclaimRatioAscending,
      ...ratio,
      goal: { kind: 'at most', value: 1.25 },
      ...(given === undefined
        ? why(reclaim)
        : {
            note: `madvise calls ${given.madviseCallsAscending}, C ${given.madviseCallsAscendingOfC}`,
          }),
    },
    {
      name: 'reclaim against C, shuffled',
      value: given?.reclaimRatioShuffled,
      ...ratio,
      ...(given === undefined
        ? why(reclaim)
        : {
            note: `madvise calls ${given.madviseCallsShuffled}, C ${given.madviseCallsShuffledOfC}`,
          }),
    },
    {
      name: 'HAL call against addon call',
      value: call?.halCallRatio,
      ...ratio,
      goal: { kind: 'at most', value: 1.2 },
      ...(call === undefined
        ? why(halCall)
        : { note: `${call.halCallNs.toFixed(0)} ns, addon ${call.addonCallNs.toFixed(0)} ns` }),
    },
    {
      name: 'cold start of replay against node -e 0',
      value: cold?.coldStartRatio,
      ...ratio,
      goal: { kind: 'at most', value: 2.5 },
      ...(cold === undefined
        ? why(coldStart)
        : { note: `${cold.coldStartMs.toFixed(0)} ms, node ${cold.bareStartMs.toFixed(0)} ms` }),
    },
    ...seccompRows(seccomp),
  ];
}

function describe({ machine, engine }: Report): string {
  const { cpu, cores, memoryMiB, node, kernel, load } = machine;
  return (
    `${cpu}, ${cores} cores, ${memoryMiB} MiB; Node ${node}, ${kernel}; load ${load.toFixed(1)}. ` +
    `${engine.turns} turns, ${engine.calls} calls; medians.`
  );
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    turns: { type: 'string', default: String(DEFAULT_TURNS) },
  },
});
const turns = Number(values.turns);
if (!Number.isInteger(turns) || turns < 1000) {
  process.stderr.write(`bench: --turns is a whole number from 1000, got ${values.turns}\n`);
  process.exitCode = 2;
} else {
  const report = await measure(turns);
  process.stdout.write(
    values.json
      ? `${JSON.stringify(toJson(report))}\n`
      : `${describe(report)}\n\n${formatTable(rows(report))}\n`,
  );
}
