import { BpfError } from './bpf-error.js';

/** One `struct sock_filter`. */
export interface Instruction {
  readonly code: number;
  /** Instructions to skip if the condition holds, 0 to 255. */
  readonly jt: number;
  /** Instructions to skip if it does not. */
  readonly jf: number;
  /** An unsigned 32-bit word. */
  readonly k: number;
}

export type Program = readonly Instruction[];

export const INSTRUCTION_BYTES = 8;

/** The raw filter as seccomp(2) takes it on a little-endian machine: u16 code, u8 jt, u8 jf, u32 k. */
export function encodeProgram(program: Program): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  });
  return bytes;
}

/**
 * What `encodeProgram` wrote. It is not validated.
 * @throws {BpfError} `BPF_TRUNCATED` if the bytes are no whole number of instructions
 */
export function decodeProgram(bytes: Uint8Array): Program {
  if (bytes.length % INSTRUCTION_BYTES !== 0) {
    throw new BpfError(
      'BPF_TRUNCATED',
      `a raw program is a multiple of ${INSTRUCTION_BYTES} bytes, got ${bytes.length}: the file is cut off or no program`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / INSTRUCTION_BYTES }, (_, index) => {
    const at = index * INSTRUCTION_BYTES;
    return {
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    };
  });
}
