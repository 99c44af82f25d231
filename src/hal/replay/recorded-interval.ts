import type { CallSpec } from '../contract/define.js';
import type { Effect } from '../contract/effects.js';
import { ByteFold } from './byte-fold.js';
import { ByteHistory } from './byte-history.js';
import { type Range, RangeSet } from './range-set.js';
import type { DecodedCall, Values } from './turn-decoder.js';

/** What a stretch of a turn did to one address space. */
export class SpaceEffects {
  /** What its writes and releases leave behind. */
  readonly fold = new ByteFold();
  readonly written = new RangeSet();
  readonly released = new RangeSet();

  write(start: number, data: Uint8Array): void {
    this.fold.write(start, data);
    this.written.add(start, start + data.length);
  }

  release(ranges: Float64Array): void {
    for (const { start, end } of rangesOf(ranges)) {
      this.fold.release(start, end);
      this.released.add(start, end);
    }
  }
}

/** The same, as recorded, with what was read. */
export class RecordedSpace extends SpaceEffects {
  /** Bytes that the program had not written before it read them. */
  readonly fresh = new ByteHistory();
  /** Bytes that it had written, and that someone else had changed again. */
  readonly raced = new ByteHistory();
  readonly readable = new RangeSet();

  read(start: number, data: Uint8Array, epoch: number): void {
    const end = start + data.length;
    const own = new RangeSet();
    for (const run of this.fold.within(start, end)) {
      own.add(run.start, run.end);
      const seen = data.subarray(run.start - start, run.end - start);
      const kept = run.data;
      if (seen.some((byte, index) => byte !== (kept?.[index] ?? 0))) {
        this.raced.add(run.start, seen, epoch);
      }
    }
    for (const gap of own.gaps(start, end)) {
      this.fresh.add(gap.start, data.subarray(gap.start - start, gap.end - start), epoch);
      this.readable.add(gap.start, gap.end);
    }
  }
}

/** The calls between two fences: their order does not count, but for acquire loads. */
export interface RecordedInterval {
  /** Positions in the turn: of its first call, and of the fence behind it (the number of calls if there is none). */
  readonly first: number;
  readonly fence: number;
  /** Positions of its acquire loads. */
  readonly acquires: readonly number[];
  readonly spaces: ReadonlyMap<number, RecordedSpace>;
}

export function effectOf(spec: CallSpec): Effect<Values> | undefined {
  return spec.definition.options.effect;
}

export function rangesOf(pairs: Float64Array): Range[] {
  const found: Range[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const start = pairs[index] ?? 0;
    found.push({ start, end: start + (pairs[index + 1] ?? 0) });
  }
  return found;
}

/** Cuts the interval that starts at the call `first` out of a turn. A failed call is a fence, whatever its effect. */
export function cutInterval(calls: readonly DecodedCall[], first: number): RecordedInterval {
  const acquires: number[] = [];
  const spaces = new Map<number, RecordedSpace>();
  let position = first;
  for (; position < calls.length; position++) {
    const call = calls[position] as DecodedCall;
    const effect = effectOf(call.spec);
    if (effect === undefined || call.outcome.kind === 'error') break;
    if (effect.kind === 'acquire') acquires.push(position);
    else note(spaces, effect, call.args, acquires.length);
  }
  return { first, fence: position, acquires, spaces };
}

function note(
  spaces: Map<number, RecordedSpace>,
  effect: Exclude<Effect<Values>, { kind: 'acquire' }>,
  args: Values,
  epoch: number,
): void {
  const space = entryOf(spaces, effect.space(args), RecordedSpace);
  if (effect.kind === 'read') space.read(effect.start(args), effect.toBytes(args), epoch);
  else if (effect.kind === 'write') space.write(effect.start(args), effect.toBytes(args));
  else space.release(effect.ranges(args));
}

export function entryOf<T>(map: Map<number, T>, key: number, type: new () => T): T {
  let entry = map.get(key);
  if (entry === undefined) {
    entry = new type();
    map.set(key, entry);
  }
  return entry;
}

/** The bytes that a call touches, by its effect; empty for acquire loads. */
export function touched(spec: CallSpec, args: Values): { space: number; ranges: Range[] } {
  const effect = effectOf(spec);
  if (effect === undefined || effect.kind === 'acquire') return { space: -1, ranges: [] };
  const space = effect.space(args);
  if (effect.kind === 'release') return { space, ranges: rangesOf(effect.ranges(args)) };
  const start = effect.start(args);
  return { space, ranges: [{ start, end: start + effect.toBytes(args).length }] };
}
