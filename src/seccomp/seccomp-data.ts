/**
 * `struct seccomp_data` as 16 words: number, architecture, instruction pointer (low, high), and six arguments (low,
 * high), which is how a little-endian machine lays it out.
 */
export type SeccompData = Uint32Array;

export const DATA_WORDS = 16;
export const NUMBER_WORD = 0;
export const ARCH_WORD = 1;

/** The word that holds the low half of an argument; the high half is the next one. -1 is the instruction pointer. */
export function argumentWord(argument: number): number {
  return 4 + 2 * argument;
}

/** Fills `data`; arguments beyond those given are 0. They are cut to 64 bits, so -1n is all ones. */
export function fillSeccompData(
  data: SeccompData,
  auditArch: number,
  number: number,
  args: readonly bigint[],
  instructionPointer = 0n,
): void {
  data.fill(0);
  data[NUMBER_WORD] = number;
  data[ARCH_WORD] = auditArch;
  [instructionPointer, ...args].slice(0, 7).forEach((value, index) => {
    data[2 + 2 * index] = Number(value & 0xffffffffn);
    data[3 + 2 * index] = Number((value >> 32n) & 0xffffffffn);
  });
}

/** `fillSeccompData` into words of its own. */
export function seccompData(
  auditArch: number,
  number: number,
  args: readonly bigint[],
  instructionPointer = 0n,
): SeccompData {
  const data = new Uint32Array(DATA_WORDS);
  fillSeccompData(data, auditArch, number, args, instructionPointer);
  return data;
}
