import type { ByteSource } from './byte-source.js';
import { ByteWindow } from './byte-window.js';
import { CHUNK_FIXED_BYTES, Opcode, RECORD_HEAD_BYTES } from './mcap-records.js';
import type { RecordWalker } from './record-walker.js';

/** Longest name that is believed while searching through damaged bytes. */
const MAX_NAME_BYTES = 4096;
/** Bytes that tell a record's shape: the head and two names at most. */
const SHAPE_BYTES = 64 + 2 * MAX_NAME_BYTES;

/**
 * Tells whether a record may begin at `position`: its length must agree with the lengths inside
 * it, to the byte. Eight or more bytes have to be right by chance for a false yes.
 * @returns the record's opcode and end, or undefined.
 */
export function recordShape(
  window: ByteWindow,
  position: number,
  limit: number,
): { readonly opcode: number; readonly end: number } | undefined {
  const available = Math.min(SHAPE_BYTES, limit - position);
  if (available < RECORD_HEAD_BYTES) return undefined;
  const at = window.locate(position, available);
  const { view } = window;
  const opcode = view.getUint8(at);
  if (!isSearched(opcode) || view.getUint32(at + 5, true) !== 0) return undefined;
  const length = view.getUint32(at + 1, true);
  const end = position + RECORD_HEAD_BYTES + length;
  if (end > limit) return undefined;
  const shape = new Shape(view, at + RECORD_HEAD_BYTES, Math.min(at + available, view.byteLength));
  return shape.contentLength(opcode) === length ? { opcode, end } : undefined;
}

/** The first position from `from` on where a record may begin, or `limit`. */
export function findRecord(window: ByteWindow, from: number, limit: number): number {
  let position = from;
  while (position + RECORD_HEAD_BYTES <= limit) {
    if (recordShape(window, position, limit) !== undefined) return position;
    position += 1;
  }
  return limit;
}

/**
 * Stands in for the CRC of the data section in a file of ours that has no end: a changed length or
 * opcode must not pass for the point where the recorder stopped.
 */
export class ShapeCheck {
  readonly #window: ByteWindow;
  readonly #limit: number;

  constructor(source: ByteSource, limit: number) {
    this.#window = new ByteWindow(source, 2 * SHAPE_BYTES);
    this.#limit = limit;
  }

  /** @throws TraceFormatError if the walker's record contradicts its own length */
  check(walker: RecordWalker): void {
    const shape = recordShape(this.#window, walker.position, this.#limit);
    if (shape?.end !== walker.end) {
      throw walker.error('TRACE_CORRUPT', 'the length of this record is wrong');
    }
  }

  /** @throws TraceFormatError if another record follows what seems to be an unfinished one */
  checkTail(walker: RecordWalker): void {
    const next = findRecord(this.#window, walker.position + 1, this.#limit);
    if (next < this.#limit) {
      throw walker.error('TRACE_CORRUPT', `unreadable, though at byte ${next} a record follows`);
    }
  }
}

/** The records of a data section; what stands in a summary is written anew. */
function isSearched(opcode: number): boolean {
  return (
    opcode === Opcode.chunk ||
    opcode === Opcode.messageIndex ||
    opcode === Opcode.metadata ||
    opcode === Opcode.attachment ||
    opcode === Opcode.dataEnd
  );
}

/** Works out a content's length from the lengths inside it; -1 where they cannot be right. */
class Shape {
  readonly #view: DataView;
  readonly #content: number;
  readonly #end: number;

  constructor(view: DataView, content: number, end: number) {
    this.#view = view;
    this.#content = content;
    this.#end = end;
  }

  contentLength(opcode: number): number {
    switch (opcode) {
      case Opcode.chunk:
        return this.#chunk();
      case Opcode.messageIndex:
        return this.#messageIndex();
      case Opcode.metadata:
        return this.#metadata();
      case Opcode.attachment:
        return this.#attachment();
      default:
        return 4;
    }
  }

  #chunk(): number {
    const name = this.#name(28);
    const records = this.#u64(32 + name);
    return name < 0 || records < 0 ? -1 : CHUNK_FIXED_BYTES + name + records;
  }

  #messageIndex(): number {
    const size = this.#u32(2);
    return size % 16 === 0 ? 6 + size : -1;
  }

  #metadata(): number {
    const name = this.#name(0);
    const map = this.#u32(4 + name);
    return name < 0 || map < 0 ? -1 : 8 + name + map;
  }

  #attachment(): number {
    const name = this.#name(16);
    if (name < 0) return -1;
    const media = this.#name(20 + name);
    const data = this.#u64(24 + name + media);
    return media < 0 || data < 0 ? -1 : 36 + name + media + data;
  }

  #name(offset: number): number {
    const length = this.#u32(offset);
    return length <= MAX_NAME_BYTES ? length : -1;
  }

  #u32(offset: number): number {
    const at = this.#content + offset;
    return offset >= 0 && at + 4 <= this.#end ? this.#view.getUint32(at, true) : -1;
  }

  #u64(offset: number): number {
    return this.#u32(offset + 4) === 0 ? this.#u32(offset) : -1;
  }
}
