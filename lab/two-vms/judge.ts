import { join } from 'node:path';
import { explain } from '../../src/cli/failure.js';
import type { BalloonVmConfig } from '../../src/programs/balloon-config.js';
import { type BalloonVmObserver, balloonCheck } from '../../src/programs/balloon-vm.js';
import { equal } from '../suite/figures.js';
import { replayHere } from '../suite/replay-here.js';
import type { Check } from '../suite/suite-case.js';
import type { TwoVmsReport } from './report.js';
import { MARGIN_MIB, VM_NAMES, type VmName } from './scenario.js';
import { pressureOf, type Timeline, TimelineWatch } from './timeline.js';

/** One VM's trace, replayed here. */
interface Replayed {
  readonly timeline: Timeline;
  readonly checks: readonly Check[];
}

function both(one: BalloonVmObserver, other: BalloonVmObserver = {}): BalloonVmObserver {
  return {
    sample: (sample) => {
      one.sample?.(sample);
      other.sample?.(sample);
    },
    decision: (decision) => other.decision?.(decision),
    actualChanged: (pages) => other.actualChanged?.(pages),
    noted: (note) => one.noted?.(note),
    ended: (end) => other.ended?.(end),
  };
}

function replayed(name: VmName, folder: string, config: BalloonVmConfig): Replayed {
  const watch = new TimelineWatch();
  const check = balloonCheck(config);
  const path = join(folder, `${name}.mcap`);
  const { divergence, lanes, turns } = replayHere(path, both(watch, check));
  const findings = (check?.findings() ?? []).map(
    ({ what, holds, detail }): Check => ({
      what: `${name}: ${what}`,
      figure: detail,
      limit: 'so it is',
      holds,
    }),
  );
  const replay: Check = {
    what: `${name}: replay here`,
    figure: divergence ?? `identical, ${turns} turns in ${lanes.join(', ')}`,
    limit: 'identical, in main and device',
    holds: divergence === undefined && lanes.join(' ') === 'main device',
  };
  return { timeline: watch.timeline, checks: [replay, ...findings] };
}

function exitChecks({ vms, killed }: TwoVmsReport): readonly Check[] {
  return [
    ...vms.map(({ name, exitCode }) => equal(`${name}: exit code`, exitCode ?? 'none', 0)),
    equal('processes that the host killed', killed.length, 0),
  ];
}

const underPressure = (samples: number): Check => ({
  what: 'looks at a host that is short of memory, before a guest had written its file',
  figure: String(samples),
  limit: 'at least 2',
  holds: samples >= 2,
});

/** Under the policy: all that its check finds on the trace, and memory comes back while the guests still write. */
function judgeWithPolicy(runs: readonly Replayed[]): readonly Check[] {
  const { samples, lowestMiB, recoveredMiB } = pressureOf(
    runs.map(({ timeline }) => timeline),
    MARGIN_MIB,
  );
  return [
    underPressure(samples),
    {
      what: 'available memory, while both guests write',
      figure: `falls to ${lowestMiB} MiB and comes back to ${recoveredMiB} MiB`,
      limit: `back to at least ${MARGIN_MIB} MiB`,
      holds: recoveredMiB >= MARGIN_MIB,
    },
  ];
}

/** Without it: memory stays short for as long as both guests write. */
function judgeWithoutPolicy(runs: readonly Replayed[]): readonly Check[] {
  const { samples, lowestMiB, highestMiB } = pressureOf(
    runs.map(({ timeline }) => timeline),
    MARGIN_MIB,
  );
  return [
    underPressure(samples),
    {
      what: 'available memory, once it is short and while both guests write',
      figure: `from ${lowestMiB} to ${highestMiB} MiB`,
      limit: `under ${MARGIN_MIB} MiB`,
      holds: highestMiB < MARGIN_MIB,
    },
  ];
}

/**
 * What must be so after a run, by what came back from the host.
 *
 * Without a policy it is enough that the host killed something: then there need be no whole trace.
 */
export function judgeTwoVms(
  config: BalloonVmConfig,
  report: TwoVmsReport,
  folder: string,
): readonly Check[] {
  const isPolicy = config.policy === 'step';
  const { killed } = report;
  if (!isPolicy && killed.length > 0) {
    return [
      { what: 'the host killed', figure: killed.join('; '), limit: 'something', holds: true },
    ];
  }
  try {
    const runs = VM_NAMES.map((name) => replayed(name, folder, config));
    const own = isPolicy ? judgeWithPolicy(runs) : judgeWithoutPolicy(runs);
    return [...exitChecks(report), ...runs.flatMap(({ checks }) => checks), ...own];
  } catch (error) {
    const what = { what: 'the traces', limit: 'can be read', holds: false };
    return [...exitChecks(report), { ...what, figure: explain(error).line }];
  }
}
