import { join } from 'node:path';
import test from 'ava';
import { PageDiscarder } from '../src/devices/balloon/page-discarder.js';
import { SplitQueue } from '../src/devices/virtio/split-queue.js';
import { DivergenceError, type DivergenceReport } from '../src/hal/replay/divergence.js';
import type { MatchMode } from '../src/hal/replay/matcher.js';
import { PolicyHost } from '../src/policy/policy-host.js';
import { PolicyRun } from '../src/policy/policy-run.js';
import type { StepState } from '../src/policy/step-types.js';
import { balloonVm } from '../src/programs/balloon-vm.js';
import { replayLane } from '../src/run.js';
import { laneSource, openTraceFile } from '../src/trace/trace-file.js';

// Each mutation changes a prototype of this worker's own copy of the modules, and puts it back.

const MODES: readonly MatchMode[] = ['exact', 'effects'];

function replay(recording: string, match: MatchMode): void {
  const trace = openTraceFile(join('recordings', recording, 'run.mcap'));
  try {
    const config = balloonVm.parseConfig(trace.program.config);
    for (const lane of trace.lanes) {
      replayLane(balloonVm, lane.name, config, laneSource(trace, lane), {
        match,
        complete: lane.outcome === 'stopped',
      });
    }
  } finally {
    trace.reader.close();
  }
}

function mutate<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  change: (original: T[K]) => T[K],
): () => void {
  const original = prototype[name];
  prototype[name] = change(original);
  return () => {
    prototype[name] = original;
  };
}

type Discard = PageDiscarder['discard'];

/** A device that gives up other frames than it was told. */
function discarding(other: (frames: Uint32Array) => Uint32Array): () => void {
  return mutate(PageDiscarder.prototype, 'discard', (original: Discard): Discard => {
    return function (this: PageDiscarder, frames) {
      return original.call(this, other(frames));
    };
  });
}

/** A device that moves `used.idx` first and gives the pages up afterwards. */
function discardingLate(): () => void {
  let late: (() => void) | undefined;
  const undoDiscard = mutate(PageDiscarder.prototype, 'discard', (original: Discard): Discard => {
    return function (this: PageDiscarder, frames) {
      const kept = frames.slice();
      late = () => void original.call(this, kept);
      return { pages: 0, calls: 0, ranges: 0, failures: 0, duplicates: 0, outsideRam: 0 };
    };
  });
  const undoPublish = mutate(SplitQueue.prototype, 'publish', (original) => {
    return function (this: SplitQueue) {
      const wanted = original.call(this);
      late?.();
      late = undefined;
      return wanted;
    };
  });
  return () => {
    undoDiscard();
    undoPublish();
  };
}

/** A policy whose steps are one page too large. */
function steppingTooFar(): () => void {
  return mutate(PolicyRun.prototype, 'start', (original) => {
    return function (this: PolicyRun) {
      const { limits } = this.state;
      const wrong = { ...limits, incrementBytes: limits.incrementBytes + 4096 };
      this.state = { ...this.state, limits: wrong } as StepState;
      original.call(this);
    };
  });
}

interface Mutation {
  readonly name: string;
  readonly recording: string;
  readonly apply: () => () => void;
  /** The call that the report must point at. */
  readonly call: Readonly<Record<MatchMode, RegExp>>;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'page frames shifted by one',
    recording: 'burst-to-maximum',
    apply: () => discarding((frames) => frames.map((frame) => frame + 1)),
    call: { exact: /mmap\.discard/, effects: /discard|released/ },
  },
  {
    name: 'a page frame dropped',
    recording: 'burst-to-maximum',
    apply: () => discarding((frames) => frames.slice(1)),
    call: { exact: /mmap\.discard/, effects: /discard|released/ },
  },
  {
    name: 'used index moved before the discard',
    recording: 'burst-to-maximum',
    apply: discardingLate,
    call: { exact: /mmap\.discard/, effects: /discard|released/ },
  },
  {
    name: 'a wrong increment of the policy',
    recording: 'pressure-and-recovery',
    apply: steppingTooFar,
    call: { exact: /channel\.send/, effects: /channel\.send/ },
  },
];

function words(report: DivergenceReport): string {
  return [report.summary, report.expected, report.actual].join('\n');
}

test('the classes that are mutated are the ones that run', (t) => {
  t.is(typeof PolicyHost.prototype.start, 'function');
  t.notThrows(() => replay('burst-to-maximum', 'exact'));
});

for (const { name, recording, apply, call } of MUTATIONS) {
  for (const match of MODES) {
    test.serial(`${name}: ${recording} catches it (${match})`, (t) => {
      const undo = apply();
      try {
        const error = t.throws(() => replay(recording, match), { instanceOf: DivergenceError });
        t.regex(words(error.report), call[match]);
        t.true(error.report.turn > 0);
        t.true(error.report.stack.length > 0);
      } finally {
        undo();
      }
    });
  }
}

for (const match of MODES) {
  test.serial(`unchanged, the recordings match again (${match})`, (t) => {
    t.notThrows(() => replay('burst-to-maximum', match));
    t.notThrows(() => replay('pressure-and-recovery', match));
  });
}
