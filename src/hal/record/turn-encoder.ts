import type { CallSpec, EventSpec } from '../contract/define.js';
import type { Method } from '../contract/derive.js';
import { TURN, type TurnSchema } from '../contract/schema.js';
import { tagOf, WIRE_LENGTH, WIRE_VARINT, WireWriter } from '../contract/wire.js';
import { recordingCall, writeFields } from './call-encoder.js';
import { type Failure, writeFailure } from './failure.js';

const NUMBER_TAG = tagOf(TURN.number, WIRE_VARINT);
const TIME_TAG = tagOf(TURN.timeNs, WIRE_VARINT);
const EVENT_TAG = tagOf(TURN.event, WIRE_LENGTH);
const FAILURE_TAG = tagOf(TURN.failure, WIRE_LENGTH);

/** Gets each turn, encoded, when it ends. The bytes are only valid during the call. */
export interface TurnSink {
  turn(number: number, timeNs: number, bytes: Uint8Array, end: number): void;
}

/**
 * Encodes turns as protobuf at call time: programs reuse their argument buffers, so nothing may be kept for later.
 */
export class TurnEncoder {
  private readonly writer = new WireWriter();
  private readonly schema: TurnSchema;
  private readonly sink: TurnSink;
  private number = 0;
  private timeNs = 0;

  constructor(schema: TurnSchema, sink: TurnSink) {
    this.schema = schema;
    this.sink = sink;
  }

  begin(
    number: number,
    timeNs: number,
    event: EventSpec | undefined,
    payload: Readonly<Record<string, unknown>> | undefined,
  ): void {
    const writer = this.writer;
    this.number = number;
    this.timeNs = timeNs;
    writer.position = 0;
    writer.varint(NUMBER_TAG);
    writer.varint(number);
    writer.varint(TIME_TAG);
    writer.varint(timeNs);
    if (event === undefined || payload === undefined) return;
    writer.varint(EVENT_TAG);
    const outer = writer.beginLength();
    writer.varint(this.schema.tagOf(event));
    const inner = writer.beginLength();
    writeFields(writer, event.fields, payload);
    writer.endLength(inner);
    writer.endLength(outer);
  }

  /** @param failure why the handler failed, if it did. */
  end(failure?: Failure): void {
    const writer = this.writer;
    if (failure !== undefined) {
      writer.varint(FAILURE_TAG);
      writeFailure(writer, failure);
    }
    this.sink.turn(this.number, this.timeNs, writer.bytes, writer.position);
  }

  /** Wraps one call so that it is written into the turn under way. */
  recording(spec: CallSpec, inner: Method): Method {
    return recordingCall(this.writer, this.schema.tagOf(spec), spec, inner);
  }
}
