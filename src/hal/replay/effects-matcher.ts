import type { CallSpec } from '../contract/define.js';
import { argumentProblem, invalidArgument, type Method } from '../contract/derive.js';
import type { ReadEffect, ReleaseEffect, WriteEffect } from '../contract/effects.js';
import type { TurnSchema } from '../contract/schema.js';
import type { Failure } from '../record/failure.js';
import {
  describeFence,
  effectProblem,
  elsewhere,
  formatRange,
  formatRanges,
  formatReadable,
} from './effects-report.js';
import { differences, formatArguments, formatCall } from './format.js';
import type { Matcher } from './matcher.js';
import { type Range, RangeSet } from './range-set.js';
import {
  cutInterval,
  effectOf,
  entryOf,
  type RecordedInterval,
  rangesOf,
  SpaceEffects,
} from './recorded-interval.js';
import { sameArguments } from './same-arguments.js';
import { nearest, TurnCursor } from './turn-cursor.js';
import { type DecodedCall, errorOf, type Values } from './turn-decoder.js';

type Args = Record<string, unknown>;

/**
 * Between two fences only the outcome counts: which bytes were written last, which were given up; so a device may
 * coalesce, split, batch and reorder there. Fences (every call without a declared effect, every call that failed, the
 * end of the turn) match exactly and in order, and nothing moves across one. Acquire loads keep their order.
 */
export class EffectsMatcher implements Matcher {
  readonly cursor: TurnCursor;
  private calls: readonly DecodedCall[] = [];
  private failure: Failure | undefined;
  private interval: RecordedInterval = cutInterval([], 0);
  /** What the program did since the last fence, by address space. */
  private made = new Map<number, SpaceEffects>();
  private acquired = 0;

  constructor(schema: TurnSchema, lane: string) {
    this.cursor = new TurnCursor(schema, lane);
  }

  beginTurn(bytes: Uint8Array, start: number, end: number): void {
    this.cursor.open(bytes, start, end);
    const { calls, failure } = this.cursor.decode();
    this.calls = calls;
    this.failure = failure;
    this.enter(0);
  }

  endTurn(failure: Failure | undefined): void {
    const { cursor, calls, interval } = this;
    if (cursor.diverged !== undefined) throw cursor.diverged;
    this.closeInterval();
    const next = calls[interval.fence];
    if (next !== undefined) {
      cursor.diverge({
        kind: 'missing-call',
        summary: `the handler ended, and ${describeFence(calls, interval.fence)} was not called`,
        expected: formatCall(next),
        call: interval.fence,
        calls,
      });
    }
    cursor.matched = calls.length;
    if (this.failure?.message !== failure?.message) {
      cursor.divergeAtFailure(this.failure, failure);
    }
  }

  method(spec: CallSpec): Method {
    const effect = effectOf(spec);
    const run = this.methodFor(spec);
    return (args) => {
      if (this.cursor.diverged !== undefined) throw this.cursor.diverged;
      if (effect === undefined) return this.fence(spec, args);
      // An effect has nothing recorded to be compared with at once, so its arguments are checked here.
      refuseInvalid(spec, args);
      return this.isFailedFence(spec, args) ? this.fence(spec, args) : run(args);
    };
  }

  private methodFor(spec: CallSpec): Method {
    const effect = effectOf(spec);
    if (effect?.kind === 'read') return (args) => this.read(spec, effect, args);
    if (effect?.kind === 'write') return (args) => this.write(spec, effect, args);
    if (effect?.kind === 'release') return (args) => this.release(spec, effect, args);
    return (args) => this.acquire(spec, args);
  }

  private enter(first: number): void {
    this.cursor.matched = first;
    this.interval = cutInterval(this.calls, first);
    this.made = new Map();
    this.acquired = 0;
  }

  private fence(spec: CallSpec, args: Args): unknown {
    const { calls, cursor } = this;
    const { fence } = this.interval;
    const expected = calls[fence];
    const matches = expected?.spec === spec && sameArgumentsOf(spec, expected, args);
    if (!matches) refuseInvalid(spec, args);
    if (expected?.spec !== spec) this.divergeAtFence(spec, args);
    this.closeInterval();
    if (!matches) {
      cursor.diverge({
        kind: 'different-argument',
        summary: `${labelOf(spec)} was called with other arguments`,
        expected: formatCall(expected),
        actual: formatArguments(spec, args),
        differences: differences(spec, expected.args, args),
        nearestLater: nearest(calls, fence + 1, cursor.number, spec, args),
        call: fence,
        calls,
      });
    }
    this.enter(fence + 1);
    return serve(expected, args);
  }

  private divergeAtFence(spec: CallSpec, args: Args): never {
    const { calls, cursor } = this;
    const { fence } = this.interval;
    const expected = calls[fence];
    const isExtra = expected === undefined;
    return cursor.diverge({
      kind: isExtra ? 'extra-call' : 'different-call',
      summary: isExtra
        ? `${labelOf(spec)} was called; the recorded turn has no more calls that keep their order`
        : `expected ${labelOf(expected.spec)}, got ${labelOf(spec)}`,
      expected: isExtra ? undefined : formatCall(expected),
      actual: formatArguments(spec, args),
      nearestLater: nearest(calls, fence, cursor.number, spec, args),
      call: fence,
      calls,
    });
  }

  /** Checks that the interval did what it is recorded to do. */
  private closeInterval(): void {
    const { calls, cursor, interval } = this;
    const left = interval.acquires[this.acquired];
    const load = left === undefined ? undefined : calls[left];
    if (left !== undefined && load !== undefined) {
      cursor.diverge({
        kind: 'missing-call',
        summary: `${labelOf(load.spec)} was not called before ${describeFence(calls, interval.fence)}`,
        expected: formatCall(load),
        call: left,
        calls,
      });
    }
    const problem = effectProblem(interval, this.made, calls);
    if (problem !== undefined) cursor.diverge({ kind: 'different-effect', ...problem, calls });
  }

  /** The call is the recorded one that failed: it is its own fence, and everything before it has been done. */
  private isFailedFence(spec: CallSpec, args: Args): boolean {
    const { calls, interval } = this;
    const expected = calls[interval.fence];
    return (
      expected?.spec === spec &&
      expected.outcome.kind === 'error' &&
      sameArgumentsOf(spec, expected, args) &&
      this.acquired === interval.acquires.length &&
      effectProblem(interval, this.made, calls) === undefined
    );
  }

  private acquire(spec: CallSpec, args: Args): unknown {
    const { calls, cursor, interval } = this;
    const position = interval.acquires[this.acquired] ?? interval.fence;
    const expected = position === interval.fence ? undefined : calls[position];
    if (expected?.spec === spec && sameArguments(spec, expected.args, args)) {
      this.acquired++;
      return serve(expected, args);
    }
    const isSame = expected?.spec === spec;
    cursor.diverge({
      kind:
        expected === undefined ? 'extra-call' : isSame ? 'different-argument' : 'different-call',
      summary:
        expected === undefined
          ? `${labelOf(spec)} was called; none is left before ${describeFence(calls, interval.fence)}`
          : `expected ${formatArguments(expected.spec, expected.args)} as the next acquire load`,
      expected: expected === undefined ? undefined : formatCall(expected),
      actual: formatArguments(spec, args),
      differences: expected !== undefined && isSame ? differences(spec, expected.args, args) : [],
      nearestLater: nearest(calls, position, cursor.number, spec, args),
      call: position,
      calls,
    });
  }

  private read(spec: CallSpec, effect: ReadEffect<Values>, args: Args): void {
    const space = effect.space(args);
    const start = effect.start(args);
    const range = { start, end: start + effect.length(args) };
    const { data, gaps } = this.recall(space, range);
    if (gaps[0] !== undefined) this.divergeAtRead(spec, args, space, range, gaps[0]);
    effect.serve(args, data);
  }

  /** The bytes of a range as the program would see them now: recorded ones, and over these what it did itself. */
  private recall(space: number, range: Range): { data: Uint8Array; gaps: Range[] } {
    const data = new Uint8Array(range.end - range.start);
    const known = new RangeSet();
    const recorded = this.interval.spaces.get(space);
    recorded?.fresh.paint(data, range.start, range, this.acquired, known);
    for (const own of this.made.get(space)?.fold.within(range.start, range.end) ?? []) {
      const at = own.start - range.start;
      if (own.data === undefined) data.fill(0, at, own.end - range.start);
      else data.set(own.data, at);
      known.add(own.start, own.end);
      recorded?.raced.paint(data, range.start, own, this.acquired, known);
    }
    return { data, gaps: known.gaps(range.start, range.end) };
  }

  private divergeAtRead(
    spec: CallSpec,
    args: Args,
    space: number,
    range: Range,
    gap: Range,
  ): never {
    const { calls, cursor, interval } = this;
    return cursor.diverge({
      kind: 'unrecorded-bytes',
      summary:
        `${labelOf(spec)} reads ${formatRange(gap)} of region ${space}, and the recording has no such bytes before ` +
        describeFence(calls, interval.fence),
      actual: formatArguments(spec, args),
      differences: [
        {
          field: `bytes of region ${space}`,
          expected: formatReadable(interval, space),
          actual: formatRange(range),
        },
      ],
      nearestLater: elsewhere(calls, interval, cursor.number, 'read', space, gap.start),
      call: interval.fence,
      calls,
    });
  }

  private write(spec: CallSpec, effect: WriteEffect<Values>, args: Args): void {
    const space = effect.space(args);
    const start = effect.start(args);
    const data = effect.toBytes(args);
    const range = { start, end: start + data.length };
    const recorded = this.interval.spaces.get(space)?.written ?? new RangeSet();
    this.refuseExtra(spec, args, 'write', space, recorded.gaps(range.start, range.end));
    entryOf(this.made, space, SpaceEffects).write(start, data.slice());
  }

  private release(spec: CallSpec, effect: ReleaseEffect<Values>, args: Args): void {
    const space = effect.space(args);
    const ranges = effect.ranges(args);
    const recorded = this.interval.spaces.get(space)?.released ?? new RangeSet();
    const extra = rangesOf(ranges).flatMap(({ start, end }) => recorded.gaps(start, end));
    this.refuseExtra(spec, args, 'release', space, extra);
    entryOf(this.made, space, SpaceEffects).release(ranges);
  }

  /** Bytes that the recorded interval leaves alone: wrong whatever comes next, so the call itself is reported. */
  private refuseExtra(
    spec: CallSpec,
    args: Args,
    kind: 'write' | 'release',
    space: number,
    extra: readonly Range[],
  ): void {
    const [first] = extra;
    if (first === undefined) return;
    const { calls, cursor, interval } = this;
    const done = kind === 'write' ? 'written' : 'released';
    const show = kind === 'write' ? formatRange : (range: Range) => formatRanges([range]);
    cursor.diverge({
      kind: 'different-effect',
      summary:
        `${labelOf(spec)}: ${show(first)} of region ${space} is ${done}, and the recording does not so before ` +
        describeFence(calls, interval.fence),
      actual: formatArguments(spec, args),
      differences: extra.map((range) => ({
        field: `region ${space} ${show(range)}`,
        expected: `not ${done}`,
        actual: done,
      })),
      nearestLater: elsewhere(calls, interval, cursor.number, kind, space, first.start),
      call: interval.fence,
      calls,
    });
  }
}

function labelOf(spec: CallSpec): string {
  return `${spec.contract.halName}.${spec.name}`;
}

/** An invalid call was refused before it was recorded; it is refused in the same way here. */
function refuseInvalid(spec: CallSpec, args: Args): void {
  const problem = argumentProblem(spec, args);
  if (problem !== undefined) throw invalidArgument(spec, problem);
}

/** Like `sameArguments`, for arguments that may not fit their types. */
function sameArgumentsOf(spec: CallSpec, expected: DecodedCall, args: Args): boolean {
  return argumentProblem(spec, args) === undefined && sameArguments(spec, expected.args, args);
}

function serve({ spec, outcome }: DecodedCall, args: Args): unknown {
  if (outcome.kind === 'error') throw errorOf(outcome.failure);
  for (const { name } of spec.outs) {
    (args[name] as Uint8Array).set(outcome.outs[name] as Uint8Array);
  }
  return outcome.value;
}
