import { ContainerModule } from 'inversify';
import { DivergenceError, formatDivergence } from '../../src/hal/replay/divergence.js';
import {
  BALLOON_VM_OBSERVER,
  type BalloonVmObserver,
  balloonVm,
} from '../../src/programs/balloon-vm.js';
import { replayLane } from '../../src/run.js';
import { openTraceFile, readLane } from '../../src/trace/trace-file.js';
import type { ReplayFacts } from './suite-case.js';

/**
 * Replays every lane of a trace on this machine, and looks at what the policy believed meanwhile: the recorded run itself
 * need not tell.
 *
 * @param watch who looks on as well; it is called as in the run itself.
 * @throws TraceFormatError if the file is damaged.
 */
export function replayHere(path: string, watch: BalloonVmObserver = {}): ReplayFacts {
  const trace = openTraceFile(path);
  const notices: string[] = [];
  let believedBytes: number | undefined;
  let actualPages = 0;
  const observer: BalloonVmObserver = {
    sample: (sample) => watch.sample?.(sample),
    decision: (decision) => {
      believedBytes = decision.currentBytes;
      watch.decision?.(decision);
    },
    actualChanged: (pages) => {
      actualPages = pages;
      watch.actualChanged?.(pages);
    },
    notice: (message) => notices.push(message),
    noted: (note) => watch.noted?.(note),
    ended: (end) => watch.ended?.(end),
  };
  const watched = new ContainerModule(
    ({ bind }) => void bind(BALLOON_VM_OBSERVER).toConstantValue(observer),
  );
  const config = balloonVm.parseConfig(trace.program.config);
  let turns = 0;
  let failure: string | undefined;
  let divergence: string | undefined;
  try {
    for (const lane of trace.lanes) {
      const options = {
        complete: lane.outcome === 'stopped',
        extra: lane.name === 'main' ? [watched] : [],
      };
      const end = readLane(trace, lane, (source) =>
        replayLane(balloonVm, lane.name, config, source, options),
      );
      turns += end.turns;
      if (end.failure instanceof Error) failure ??= end.failure.message;
    }
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    divergence = formatDivergence(error.report);
  } finally {
    trace.reader.close();
  }
  const lanes = trace.lanes.map(({ name }) => name);
  return { divergence, lanes, turns, believedBytes, actualPages, notices, failure };
}
