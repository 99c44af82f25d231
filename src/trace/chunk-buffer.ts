import {
  MESSAGE_FIXED_BYTES,
  MESSAGE_OVERHEAD_BYTES,
  Opcode,
  RECORD_HEAD_BYTES,
  TWO_POW_32,
} from './mcap-records.js';

/** Payloads up to this size are copied byte by byte: cheaper than making a view of them. */
const SMALL_COPY_BYTES = 48;

/** The uncompressed records of the chunk being filled and the index of its messages. */
export class ChunkBuffer {
  readonly #capacityBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  #count = 0;
  #times = new Float64Array(1024);
  #offsets = new Uint32Array(1024);
  #channels = new Uint16Array(1024);
  #startTimeNs = 0;
  #endTimeNs = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  get messageCount(): number {
    return this.#count;
  }

  get startTimeNs(): number {
    return this.#startTimeNs;
  }

  get endTimeNs(): number {
    return this.#endTimeNs;
  }

  /** The records so far; valid until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  timeOf(message: number): number {
    return this.#times[message] ?? 0;
  }

  offsetOf(message: number): number {
    return this.#offsets[message] ?? 0;
  }

  channelOf(message: number): number {
    return this.#channels[message] ?? 0;
  }

  /** Adds a record that is already encoded (a schema or a channel). */
  addRecord(record: Uint8Array): void {
    this.#reserve(record.length);
    this.#bytes.set(record, this.#length);
    this.#length += record.length;
  }

  addMessage(
    channelId: number,
    sequence: number,
    logTimeNs: number,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    const size = end - start;
    this.#reserve(size + MESSAGE_OVERHEAD_BYTES);
    const at = this.#length;
    const view = this.#view;
    const low = logTimeNs >>> 0;
    const high = Math.floor(logTimeNs / TWO_POW_32);
    view.setUint8(at, Opcode.message);
    view.setUint32(at + 1, size + MESSAGE_FIXED_BYTES, true);
    view.setUint32(at + 5, 0, true);
    view.setUint16(at + 9, channelId, true);
    view.setUint32(at + 11, sequence, true);
    view.setUint32(at + 15, low, true);
    view.setUint32(at + 19, high, true);
    view.setUint32(at + 23, low, true);
    view.setUint32(at + 27, high, true);
    this.#copy(payload, start, end, at + MESSAGE_OVERHEAD_BYTES);
    this.#length = at + MESSAGE_OVERHEAD_BYTES + size;
    this.#index(channelId, logTimeNs, at);
  }

  /** Copies a whole message record and gives it another channel. */
  addMessageRecord(channelId: number, logTimeNs: number, record: Uint8Array): void {
    const at = this.#length;
    this.addRecord(record);
    this.#view.setUint16(at + RECORD_HEAD_BYTES, channelId, true);
    this.#index(channelId, logTimeNs, at);
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    // One huge message must not hold its memory for the rest of the recording.
    if (this.#bytes.length > 2 * this.#capacityBytes) this.#resize(this.#capacityBytes);
  }

  #index(channelId: number, logTimeNs: number, offset: number): void {
    const count = this.#count;
    if (count === 0 || logTimeNs < this.#startTimeNs) this.#startTimeNs = logTimeNs;
    if (count === 0 || logTimeNs > this.#endTimeNs) this.#endTimeNs = logTimeNs;
    if (count === this.#times.length) this.#growIndex();
    this.#times[count] = logTimeNs;
    this.#offsets[count] = offset;
    this.#channels[count] = channelId;
    this.#count = count + 1;
  }

  #copy(payload: Uint8Array, start: number, end: number, at: number): void {
    const bytes = this.#bytes;
    const size = end - start;
    if (size <= SMALL_COPY_BYTES) {
      for (let i = 0; i < size; i += 1) bytes[at + i] = payload[start + i] as number;
    } else if (size === payload.length) {
      bytes.set(payload, at);
    } else {
      bytes.set(payload.subarray(start, end), at);
    }
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, this.#bytes.length * 2));
  }

  #resize(size: number): void {
    const resized = new Uint8Array(size);
    resized.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = resized;
    this.#view = new DataView(resized.buffer);
  }

  #growIndex(): void {
    const size = this.#times.length * 2;
    const times = new Float64Array(size);
    const offsets = new Uint32Array(size);
    const channels = new Uint16Array(size);
    times.set(this.#times);
    offsets.set(this.#offsets);
    channels.set(this.#channels);
    this.#times = times;
    this.#offsets = offsets;
    this.#channels = channels;
  }
}
