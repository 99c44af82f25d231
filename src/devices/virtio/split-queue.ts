import type { GuestAddress } from '../../hal/contract/units.js';
import { ChainBatch } from './chain-batch.js';
import type { GuestFault, GuestFaults } from './guest-faults.js';
import type { GuestMemory } from './guest-memory.js';

/** Where a queue lies in guest memory, as the driver set it up. */
export interface QueueLayout {
  /** Entries: a power of two, at most 32768. */
  readonly size: number;
  readonly descriptors: GuestAddress;
  readonly avail: GuestAddress;
  readonly used: GuestAddress;
}

/** Why a queue cannot be used (virtio 1.2, 2.7). */
export type QueueRefusal = 'bad-size' | 'misaligned' | 'outside-ram' | 'overlapping';

/** A queue's state for a snapshot. */
export interface QueueSnapshot extends QueueLayout {
  readonly nextAvail: number;
  readonly nextUsed: number;
}

const DESCRIPTOR_BYTES = 16;
const USED_ELEMENT_BYTES = 8;
/** Both rings: u16 flags, then u16 index, then the entries. */
const INDEX_OFFSET = 2;
const RING_OFFSET = 4;
const FLAG_NEXT = 1;
const FLAG_WRITE = 2;
const FLAG_INDIRECT = 4;
const AVAIL_NO_INTERRUPT = 1;
const U16 = 0xffff;

/**
 * Checks a queue before its first use.
 *
 * @param maxSize what the device offers as QueueNumMax.
 */
export function validateQueue(
  memory: GuestMemory,
  layout: QueueLayout,
  maxSize: number,
): QueueRefusal | undefined {
  const { size, descriptors, avail, used } = layout;
  if (size <= 0 || size > maxSize || (size & (size - 1)) !== 0) return 'bad-size';
  if (descriptors % 16 !== 0 || avail % 2 !== 0 || used % 4 !== 0) return 'misaligned';
  const areas = [
    { start: descriptors, length: DESCRIPTOR_BYTES * size },
    { start: avail, length: 6 + 2 * size },
    { start: used, length: 6 + USED_ELEMENT_BYTES * size },
  ].sort((a, b) => a.start - b.start);
  if (areas.some((area) => memory.check(area.start, area.length) !== 'ok')) return 'outside-ram';
  const overlaps = areas.some((area, index) => {
    const next = areas[index + 1];
    return next !== undefined && area.start + area.length > next.start;
  });
  return overlaps ? 'overlapping' : undefined;
}

/**
 * The device's side of a split ring (virtio 1.2, 2.7), without event index and indirect descriptors. One `drain` takes
 * what is available now; since notifications are never suppressed, whatever comes later brings a kick of its own, so a
 * guest cannot keep a drain going.
 */
export class SplitQueue {
  readonly layout: QueueLayout;
  /** What the last `drain` took. */
  readonly batch: ChainBatch;
  readonly #memory: GuestMemory;
  readonly #faults: GuestFaults;
  #nextAvail: number;
  #nextUsed: number;
  #broken = false;

  readonly #heads: Uint16Array;
  /** A copy of the descriptor table; an entry is good for the drain that `#loadedIn` names. */
  readonly #table: Uint8Array;
  readonly #tableView: DataView;
  readonly #entryViews: (Uint8Array | undefined)[] = [];
  readonly #loadedIn: Float64Array;
  readonly #chainedIn: Float64Array;
  #drainNumber = 0;
  /** Used elements that are not published yet: pairs of id and length. */
  readonly #staged: Uint32Array;
  #stagedCount = 0;

  /**
   * The layout must have passed `validateQueue`. The used index is taken from the ring. Without `nextAvail` the queue
   * goes on after the last used element: that is how a restarted device finds what its predecessor left undone.
   */
  constructor(
    memory: GuestMemory,
    layout: QueueLayout,
    faults: GuestFaults,
    start: { readonly nextAvail?: number | undefined; readonly nextUsed?: number | undefined } = {},
  ) {
    const { size } = layout;
    this.#memory = memory;
    this.layout = layout;
    this.#faults = faults;
    this.#nextUsed = start.nextUsed ?? memory.loadAcquireU16(layout.used + INDEX_OFFSET);
    this.#nextAvail = start.nextAvail ?? this.#nextUsed;
    this.batch = new ChainBatch(size);
    this.#heads = new Uint16Array(size);
    this.#table = new Uint8Array(DESCRIPTOR_BYTES * size);
    this.#tableView = new DataView(this.#table.buffer);
    this.#loadedIn = new Float64Array(size);
    this.#chainedIn = new Float64Array(size);
    this.#staged = new Uint32Array(2 * size);
  }

  /** Free-running, modulo 2^16. */
  get nextAvail(): number {
    return this.#nextAvail;
  }

  get nextUsed(): number {
    return this.#nextUsed;
  }

  /** The index jumped by more than the queue holds: nothing in it can be trusted until a reset. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /**
   * Takes every available chain into `batch`.
   *
   * @returns 'broken' if the device needs a reset; 'empty' if there is nothing; else 'drained'. After 'drained' the batch
   *   may still be empty: heads that are no descriptor are consumed and counted, but cannot be given back.
   */
  drain(): 'drained' | 'empty' | 'broken' {
    this.batch.clear();
    if (this.#broken) return 'broken';
    const { avail, size } = this.layout;
    const index = this.#memory.loadAcquireU16(avail + INDEX_OFFSET);
    const count = (index - this.#nextAvail) & U16;
    if (count === 0) return 'empty';
    if (count > size) {
      this.#faults.count('avail-index-jump');
      this.#broken = true;
      return 'broken';
    }
    this.#drainNumber++;
    this.#readHeads(count);
    this.#nextAvail = index;
    this.#loadHeadRuns(count);
    for (let position = 0; position < count; position++) {
      this.#takeChain(this.#heads[position] as number);
    }
    return 'drained';
  }

  /** Prepares a used element; `publish` shows it to the driver. At most one for each chain taken. */
  giveBack(head: number, writtenBytes: number): void {
    assertRoom(this.#stagedCount, this.layout.size);
    this.#staged[this.#stagedCount * 2] = head;
    this.#staged[this.#stagedCount * 2 + 1] = writtenBytes;
    this.#stagedCount++;
  }

  /**
   * Writes what was given back, then moves `used.idx` with release ordering.
   *
   * @returns true if the driver wants an interrupt for it.
   */
  publish(): boolean {
    if (this.#stagedCount === 0) return false;
    this.#writeStaged();
    this.#memory.storeReleaseU16(this.layout.used + INDEX_OFFSET, this.#nextUsed);
    const flags = this.#memory.loadAcquireU16(this.layout.avail);
    return (flags & AVAIL_NO_INTERRUPT) === 0;
  }

  snapshot(): QueueSnapshot {
    return { ...this.layout, nextAvail: this.#nextAvail, nextUsed: this.#nextUsed };
  }

  #readHeads(count: number): void {
    const { avail, size } = this.layout;
    const first = this.#nextAvail & (size - 1);
    const beforeWrap = Math.min(count, size - first);
    const ring = avail + RING_OFFSET;
    this.#memory.readU16Array(ring + first * 2, this.#heads.subarray(0, beforeWrap));
    if (beforeWrap < count) {
      this.#memory.readU16Array(ring, this.#heads.subarray(beforeWrap, count));
    }
  }

  /** Heads that follow one another in the table are read together. */
  #loadHeadRuns(count: number): void {
    const { size } = this.layout;
    for (let position = 0; position < count; ) {
      const head = this.#heads[position] as number;
      let run = 1;
      while (position + run < count && this.#heads[position + run] === head + run) run++;
      position += run;
      if (head < size) this.#load(head, Math.min(run, size - head));
    }
  }

  #load(first: number, count: number): void {
    const address = this.layout.descriptors + first * DESCRIPTOR_BYTES;
    this.#memory.read(address, this.#entries(first, count));
    this.#loadedIn.fill(this.#drainNumber, first, first + count);
  }

  #entries(first: number, count: number): Uint8Array {
    const start = first * DESCRIPTOR_BYTES;
    if (count > 1) return this.#table.subarray(start, start + count * DESCRIPTOR_BYTES);
    const known = this.#entryViews[first];
    if (known !== undefined) return known;
    const view = this.#table.subarray(start, start + DESCRIPTOR_BYTES);
    this.#entryViews[first] = view;
    return view;
  }

  #takeChain(head: number): void {
    if (head >= this.layout.size) {
      this.#faults.count('bad-head');
      return;
    }
    this.batch.begin(head);
    const fault = this.#walk(head);
    if (fault !== undefined) this.#faults.count(fault);
    this.batch.end(fault !== undefined);
  }

  /** Adds the chain's descriptors to the batch. A descriptor is taken once in a drain, so that a loop ends. */
  #walk(head: number): GuestFault | undefined {
    const view = this.#tableView;
    let index = head;
    let sawWritable = false;
    for (;;) {
      if (this.#chainedIn[index] === this.#drainNumber) return 'descriptor-reused';
      this.#chainedIn[index] = this.#drainNumber;
      if (this.#loadedIn[index] !== this.#drainNumber) this.#load(index, 1);
      const at = index * DESCRIPTOR_BYTES;
      const flags = view.getUint16(at + 12, true);
      if ((flags & FLAG_INDIRECT) !== 0) return 'indirect-descriptor';
      const writable = (flags & FLAG_WRITE) !== 0;
      if (sawWritable && !writable) return 'readable-after-writable';
      sawWritable = writable;
      const address = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
      this.batch.add(address, view.getUint32(at + 8, true), writable);
      if ((flags & FLAG_NEXT) === 0) return undefined;
      index = view.getUint16(at + 14, true);
      if (index >= this.layout.size) return 'bad-next';
    }
  }

  #writeStaged(): void {
    const { used, size } = this.layout;
    const count = this.#stagedCount;
    const first = this.#nextUsed & (size - 1);
    const beforeWrap = Math.min(count, size - first);
    const ring = used + RING_OFFSET;
    this.#memory.writeU32Array(
      ring + first * USED_ELEMENT_BYTES,
      this.#staged.subarray(0, beforeWrap * 2),
    );
    if (beforeWrap < count) {
      this.#memory.writeU32Array(ring, this.#staged.subarray(beforeWrap * 2, count * 2));
    }
    this.#nextUsed = (this.#nextUsed + count) & U16;
    this.#stagedCount = 0;
  }
}

function assertRoom(staged: number, size: number): void {
  if (staged >= size)
    throw new RangeError(`a queue of ${size} has no room for another used element`);
}
