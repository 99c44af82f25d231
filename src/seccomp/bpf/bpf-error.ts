export type BpfErrorCode =
  | 'BPF_TRUNCATED'
  | 'BPF_LENGTH'
  | 'BPF_OPCODE'
  | 'BPF_OFFSET'
  | 'BPF_JUMP'
  | 'BPF_CONSTANT'
  | 'BPF_MEMORY'
  | 'BPF_END';

/** A program that the kernel would refuse. */
export class BpfError extends Error {
  override readonly name = 'BpfError';

  constructor(
    readonly code: BpfErrorCode,
    message: string,
    /** The instruction at fault, from 0. */
    readonly at?: number,
  ) {
    super(at === undefined ? message : `instruction ${at}: ${message}`);
  }
}
