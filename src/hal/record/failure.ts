import { HalError } from '../contract/errors.js';
import { tagOf, WIRE_LENGTH, WIRE_VARINT, type WireWriter } from '../contract/wire.js';

/** How a turn or a call failed, as the trace keeps it. */
export interface Failure {
  readonly code: string;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly message: string;
}

/** The code of what was thrown without being a HalError. */
export const HANDLER_THREW = 'HANDLER_THREW';

export function failureOf(error: unknown): Failure {
  if (HalError.is(error)) {
    const { code, errno, syscall } = error;
    return { code, errno, syscall, message: wellFormed(error.message) };
  }
  const message = wellFormed(
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  );
  return { code: HANDLER_THREW, errno: undefined, syscall: undefined, message };
}

/** As it will be read back: UTF-8 has no lone surrogates. */
function wellFormed(message: string): string {
  return message.replace(/\p{Surrogate}/gu, '\uFFFD');
}

export function writeFailure(writer: WireWriter, failure: Failure): void {
  const mark = writer.beginLength();
  writer.varint(tagOf(1, WIRE_LENGTH));
  writer.text(failure.code);
  if (failure.errno !== undefined) {
    writer.varint(tagOf(2, WIRE_VARINT));
    writer.varint(failure.errno);
  }
  if (failure.syscall !== undefined) {
    writer.varint(tagOf(3, WIRE_LENGTH));
    writer.text(failure.syscall);
  }
  writer.varint(tagOf(4, WIRE_LENGTH));
  writer.text(failure.message);
  writer.endLength(mark);
}
