import { statSync } from 'node:fs';
import type { TurnSink } from '../src/hal/record/turn-encoder.js';
import type { TurnSource } from '../src/hal/replay/turn-cursor.js';
import { replayLane, runLane } from '../src/run.js';
import { Recording } from '../src/trace/recording.js';
import { laneSource, openTraceFile } from '../src/trace/trace-file.js';
import { callsOf, workload } from './workload.js';
import { workloadHardware } from './workload-hardware.js';

const LANE = 'main';

/** Runs the workload live; without a sink nothing is recorded. */
export function runLive(turns: number, sink?: TurnSink): void {
  const { implementations, clockNs, speak } = workloadHardware();
  const run = runLane(
    workload,
    LANE,
    { turns },
    sink === undefined
      ? { kind: 'native', implementations, clockNs }
      : { kind: 'recording', implementations, clockNs, sink },
  );
  for (let turn = 0; turn < turns; turn++) speak();
  void run.ended.then(({ failure, turns: ended }) => {
    if (failure !== undefined) throw failure;
    if (ended !== turns + 1) throw new Error(`${ended} turns ran instead of ${turns + 1}`);
  });
}

/** Runs the workload and writes its trace: encoding, compression, checksums and file included. */
export function recordTo(path: string, turns: number): void {
  const recording = new Recording({
    path,
    program: { ...workload, config: { turns } },
    contracts: workload.contracts,
    library: 'halyard bench',
    machine: {},
    onError: (error) => {
      throw error;
    },
  });
  runLive(turns, recording.lane(LANE));
  recording.endLane(LANE, 'stopped');
  recording.close();
}

/** Replays the lane of a file, every call and every turn's end matched. Returns the number of calls. */
export function replayFrom(path: string): number {
  const trace = openTraceFile(path);
  try {
    const lane = trace.lanes[0];
    if (lane === undefined) throw new Error(`${path} has no lane`);
    return replaySource(laneSource(trace, lane), workload.parseConfig(trace.program.config).turns);
  } finally {
    trace.reader.close();
  }
}

export function replaySource(source: TurnSource, turns: number): number {
  const { calls } = replayLane(workload, LANE, { turns }, source);
  if (calls !== callsOf(turns)) throw new Error(`${calls} calls instead of ${callsOf(turns)}`);
  return calls;
}

export function bytesPerCall(path: string, turns: number): number {
  return statSync(path).size / callsOf(turns);
}
