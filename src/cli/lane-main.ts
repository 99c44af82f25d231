import { runLane } from '../run.js';
import { LaneStreamWriter } from '../trace/lane-stream.js';
import type { LaneTask } from './child-lanes.js';
import { explain } from './failure.js';
import { hardware } from './hardware.js';
import { monotonicNs } from './live.js';
import { findProgram } from './programs.js';

/** The entry of a process that runs one lane of a program. Its task is the first argument; its channels are inherited. */
async function laneMain(task: LaneTask): Promise<void> {
  const program = await findProgram(task.program, task.module);
  const config = program.parseConfig(task.program.config);
  const filterPrograms = (name: string): Uint8Array | undefined => {
    const program = task.filterPrograms?.[name];
    return program === undefined ? undefined : Buffer.from(program, 'base64');
  };
  const implementations = await hardware({ filterPrograms });
  let stop = () => {};
  const stream =
    task.turnsFd === undefined ? undefined : new LaneStreamWriter(task.turnsFd, () => stop());
  const shared = { implementations, clockNs: monotonicNs };
  const run = runLane(
    program,
    task.incarnation,
    config,
    stream === undefined
      ? { kind: 'native', ...shared }
      : { kind: 'recording', sink: stream, ...shared },
  );
  stop = run.stop;
  const { failure } = await run.ended;
  const message = failure instanceof Error ? failure.message : '';
  stream?.end(failure === undefined ? 'stopped' : 'failed', message);
  if (failure !== undefined) throw failure;
}

async function start(): Promise<void> {
  try {
    await laneMain(JSON.parse(process.argv[2] ?? '') as LaneTask);
  } catch (error) {
    const { line, exitCode } = explain(error);
    process.stderr.write(`halyard lane: ${line}\n`);
    process.exitCode = exitCode;
  }
}

// Not awaited: a CommonJS module, which the bundle is, cannot.
void start();
