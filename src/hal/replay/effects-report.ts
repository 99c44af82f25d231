import { compareFolds, type FoldDifference } from './byte-fold.js';
import type { NearestMatch } from './divergence.js';
import { type FieldDifference, formatCall, formatValue } from './format.js';
import { type Range, RangeSet } from './range-set.js';
import { effectOf, type RecordedInterval, SpaceEffects, touched } from './recorded-interval.js';
import type { DecodedCall } from './turn-decoder.js';

const PAGE = 4096;
const SHOWN = 4;

/** A difference in what an interval left behind. */
export interface EffectProblem {
  readonly summary: string;
  /** The recorded call that it shows at. */
  readonly call: number;
  readonly expected: string | undefined;
  readonly actual: string;
  readonly differences: readonly FieldDifference[];
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function formatRange({ start, end }: Range): string {
  return `${hex(start)}+${hex(end - start)}`;
}

/** Byte ranges with the page frames of the region that they are: "0x3000+0x2000 (frames 0x3 to 0x4)". */
export function formatRanges(ranges: readonly Range[]): string {
  if (ranges.length === 0) return 'nothing';
  const shown = ranges.slice(0, SHOWN).map((range) => {
    const first = Math.floor(range.start / PAGE);
    const last = Math.ceil(range.end / PAGE) - 1;
    const frames = first >= last ? `frame ${hex(first)}` : `frames ${hex(first)} to ${hex(last)}`;
    return `${formatRange(range)} (${frames})`;
  });
  const rest = ranges.length > SHOWN ? ` and ${ranges.length - SHOWN} more` : '';
  return shown.join(', ') + rest;
}

/** What differs between the effects of an interval and those recorded; undefined if nothing does. */
export function effectProblem(
  interval: RecordedInterval,
  actual: ReadonlyMap<number, SpaceEffects>,
  calls: readonly DecodedCall[],
): EffectProblem | undefined {
  const none = new SpaceEffects();
  for (const space of new Set([...interval.spaces.keys(), ...actual.keys()])) {
    const wanted = interval.spaces.get(space) ?? none;
    const made = actual.get(space) ?? none;
    const problem =
      releaseProblem(space, wanted, made, interval, calls) ??
      writeProblem(space, compareFolds(wanted.fold, made.fold), interval, calls);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function releaseProblem(
  space: number,
  wanted: SpaceEffects,
  made: SpaceEffects,
  interval: RecordedInterval,
  calls: readonly DecodedCall[],
): EffectProblem | undefined {
  const missing = wanted.released.without(made.released);
  const extra = made.released.without(wanted.released);
  const first = missing[0] ?? extra[0];
  if (first === undefined) return undefined;
  const call = recordedAt(calls, interval, 'release', space, first.start) ?? interval.fence;
  const where = describeFence(calls, interval.fence);
  const parts = [
    ...(missing.length > 0 ? [`${formatRanges(missing)} not released`] : []),
    ...(extra.length > 0 ? [`${formatRanges(extra)} released and not so recorded`] : []),
  ];
  return {
    summary: `region ${space}, before ${where}: ${parts.join('; ')}`,
    call,
    expected: textOf(calls, call, missing.length > 0),
    actual: `released in region ${space}: ${formatRanges(made.released.all)}`,
    differences: [
      ...missing.map((range) => ({
        field: `region ${space} ${formatRanges([range])}`,
        expected: 'released',
        actual: 'kept',
      })),
      ...extra.map((range) => ({
        field: `region ${space} ${formatRanges([range])}`,
        expected: 'kept',
        actual: 'released',
      })),
    ],
  };
}

function writeProblem(
  space: number,
  found: readonly FoldDifference[],
  interval: RecordedInterval,
  calls: readonly DecodedCall[],
): EffectProblem | undefined {
  const [first] = found;
  if (first === undefined) return undefined;
  const call = recordedAt(calls, interval, 'write', space, first.start) ?? interval.fence;
  const show = (data: Uint8Array | undefined) =>
    data === undefined ? 'not written' : formatValue(data);
  const where = describeFence(calls, interval.fence);
  return {
    summary: `region ${space}, before ${where}: other bytes were written at ${formatRange(first)}`,
    call,
    expected: textOf(calls, call, first.left !== undefined),
    actual: `bytes ${formatRange(first)} of region ${space}: ${show(first.right)}`,
    differences: found.map((difference) => ({
      field: `region ${space} ${formatRange(difference)}`,
      expected: show(difference.left),
      actual: show(difference.right),
    })),
  };
}

function textOf(
  calls: readonly DecodedCall[],
  index: number,
  isRecorded: boolean,
): string | undefined {
  const call = calls[index];
  return isRecorded && call !== undefined ? formatCall(call) : undefined;
}

/** "event-fd.signal (call 5)", or the end of the turn. */
export function describeFence(calls: readonly DecodedCall[], fence: number): string {
  const call = calls[fence];
  if (call === undefined) return 'the end of the turn';
  return `${call.spec.contract.halName}.${call.spec.name} (call ${fence})`;
}

/** The last recorded call of the interval that has this effect on this byte. */
function recordedAt(
  calls: readonly DecodedCall[],
  interval: RecordedInterval,
  kind: 'write' | 'release',
  space: number,
  byte: number,
): number | undefined {
  for (let index = interval.fence - 1; index >= interval.first; index--) {
    if (touches(calls[index], kind, space, byte)) return index;
  }
  return undefined;
}

function touches(
  call: DecodedCall | undefined,
  kind: 'read' | 'write' | 'release',
  space: number,
  byte: number,
): boolean {
  if (call === undefined || effectOf(call.spec)?.kind !== kind) return false;
  if (call.outcome.kind === 'error') return false;
  const { space: where, ranges } = touched(call.spec, call.args);
  return where === space && ranges.some(({ start, end }) => start <= byte && byte < end);
}

/** Where the recording does the same to this byte, in another interval of the turn. */
export function elsewhere(
  calls: readonly DecodedCall[],
  interval: RecordedInterval,
  turn: number,
  kind: 'read' | 'write' | 'release',
  space: number,
  byte: number,
): NearestMatch | undefined {
  const later = calls.findIndex(
    (call, index) => index > interval.fence && touches(call, kind, space, byte),
  );
  const earlier = calls.findLastIndex(
    (call, index) => index < interval.first && touches(call, kind, space, byte),
  );
  const call = later >= 0 ? later : earlier;
  const found = calls[call];
  if (found === undefined) return undefined;
  const hint =
    later >= 0
      ? `recorded later, behind ${describeFence(calls, interval.fence)}: was something moved across it?`
      : `recorded earlier, before ${describeFence(calls, interval.first - 1)}: was something moved across it?`;
  return { turn, call, text: formatCall(found), hint };
}

/** What is readable in a space, for a report. */
export function formatReadable(interval: RecordedInterval, space: number): string {
  const readable = interval.spaces.get(space)?.readable ?? new RangeSet();
  const shown = readable.all.slice(0, SHOWN).map(formatRange);
  if (shown.length === 0) return 'none of this region';
  return shown.join(', ') + (readable.all.length > SHOWN ? ', …' : '');
}
