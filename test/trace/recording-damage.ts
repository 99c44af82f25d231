import { Opcode, RECORD_HEAD_BYTES } from '../../src/trace/mcap-records.js';
import type { Random } from './random.js';

interface RecordPlace {
  readonly opcode: number;
  readonly at: number;
  readonly end: number;
}

const MAGIC_BYTES = 8;
const HUGE = [0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A real recording and the many ways to damage it. Each changes at least one byte. */
export class DamageMaker {
  readonly bytes: Uint8Array;
  readonly #records: readonly RecordPlace[];
  readonly #chunks: readonly RecordPlace[];
  readonly #random: Random;

  constructor(bytes: Uint8Array, random: Random) {
    this.bytes = bytes;
    this.#random = random;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const records: RecordPlace[] = [];
    for (let at = MAGIC_BYTES; at < bytes.length - MAGIC_BYTES; ) {
      const end = at + RECORD_HEAD_BYTES + view.getUint32(at + 1, true);
      records.push({ opcode: view.getUint8(at), at, end });
      at = end;
    }
    this.#records = records;
    this.#chunks = records.filter(({ opcode }) => opcode === Opcode.chunk);
  }

  /** One damaged copy, and what was done to it. */
  next(): { readonly damage: string; readonly bytes: Uint8Array } {
    for (;;) {
      const [damage, make] = this.#pick(this.#kinds);
      const bytes = make();
      if (Buffer.compare(bytes, this.bytes) !== 0) return { damage, bytes };
    }
  }

  readonly #kinds: readonly (readonly [string, () => Uint8Array])[] = [
    ['a flipped bit', () => this.#patched((bytes, at) => this.#flip(bytes, at))],
    [
      'a changed byte',
      () => this.#patched((bytes, at) => bytes.fill(this.#random.below(256), at, at + 1)),
    ],
    ['a truncation', () => this.bytes.slice(0, this.#anywhere())],
    ['a huge length', () => this.#onRecord((view, { at }) => this.#lie(view, at + 1))],
    [
      'a length that is a little off',
      () =>
        this.#onRecord((view, { at, end }) =>
          view.setUint32(at + 1, end - at - RECORD_HEAD_BYTES + this.#random.below(65) - 32, true),
        ),
    ],
    [
      'a lie within a record',
      () =>
        this.#onRecord((view, { at, end }) => this.#lie(view, at + this.#random.below(end - at))),
    ],
    [
      'another opcode',
      () => this.#onRecord((view, { at }) => view.setUint8(at, this.#random.below(256))),
    ],
    [
      'a chunk twice',
      () =>
        this.#withPieces((chunk) => [
          [0, chunk.end],
          [chunk.at, this.bytes.length],
        ]),
    ],
    [
      'a chunk removed',
      () =>
        this.#withPieces((chunk) => [
          [0, chunk.at],
          [chunk.end, this.bytes.length],
        ]),
    ],
    ['two chunks exchanged', () => this.#exchanged()],
    ['junk put in', () => this.#junk()],
    [
      'a block of zeros',
      () => this.#patched((bytes, at) => bytes.fill(0, at, at + 1 + this.#random.below(4096))),
    ],
    ['a piece moved', () => this.#moved()],
  ];

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  #anywhere(): number {
    return this.#random.below(this.bytes.length);
  }

  #patched(change: (bytes: Uint8Array, at: number) => void): Uint8Array {
    const bytes = this.bytes.slice();
    change(bytes, this.#anywhere());
    return bytes;
  }

  #flip(bytes: Uint8Array, at: number): void {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.below(8));
  }

  #onRecord(change: (view: DataView, record: RecordPlace) => void): Uint8Array {
    const bytes = this.bytes.slice();
    change(new DataView(bytes.buffer), this.#pick(this.#records));
    return bytes;
  }

  #lie(view: DataView, at: number): void {
    if (at + 8 > view.byteLength) return;
    view.setUint32(at, this.#pick(HUGE), true);
    view.setUint32(at + 4, this.#random.below(3), true);
  }

  #withPieces(cut: (chunk: RecordPlace) => readonly (readonly [number, number])[]): Uint8Array {
    return this.#joined(cut(this.#pick(this.#chunks)));
  }

  #exchanged(): Uint8Array {
    const both = [this.#pick(this.#chunks), this.#pick(this.#chunks)];
    const [first, second] = both.sort((a, b) => a.at - b.at) as [RecordPlace, RecordPlace];
    if (first === second) return this.bytes;
    return this.#joined([
      [0, first.at],
      [second.at, second.end],
      [first.end, second.at],
      [first.at, first.end],
      [second.end, this.bytes.length],
    ]);
  }

  #junk(): Uint8Array {
    const at = this.#random.below(2) === 0 ? this.#pick(this.#records).at : this.#anywhere();
    const junk = Uint8Array.from({ length: 1 + this.#random.below(300) }, () =>
      this.#random.below(256),
    );
    return new Uint8Array(
      Buffer.concat([this.bytes.subarray(0, at), junk, this.bytes.subarray(at)]),
    );
  }

  #moved(): Uint8Array {
    const bytes = this.bytes.slice();
    const length = 1 + this.#random.below(512);
    const limit = bytes.length - length;
    const [to, from] = [this.#random.below(limit), this.#random.below(limit)];
    return bytes.copyWithin(to, from, from + length);
  }

  #joined(pieces: readonly (readonly [number, number])[]): Uint8Array {
    return new Uint8Array(Buffer.concat(pieces.map(([from, to]) => this.bytes.subarray(from, to))));
  }
}
