/** A syscall's registers: what is negative is two's complement, and nothing is wider. */
const WIDEST = (1n << 64n) - 1n;
const LEAST = -(1n << 63n);

/**
 * An argument as people write it: a whole number, decimal or 0x, negative ones as 64-bit two's complement, or constants
 * by name; joined by `|`. Undefined if it is none of these, or too large for a register.
 */
export function argumentValue(
  text: string,
  constants: Pick<ReadonlyMap<string, bigint>, 'get'>,
): bigint | undefined {
  let value = 0n;
  for (const term of text.split('|')) {
    const word = termValue(term.trim(), constants);
    if (word === undefined) return undefined;
    value |= word;
  }
  return value;
}

function termValue(
  term: string,
  constants: Pick<ReadonlyMap<string, bigint>, 'get'>,
): bigint | undefined {
  const number = /^([+-]?)(\d+|0x[0-9a-f]+|0b[01]+|0o[0-7]+)$/iu.exec(term);
  if (number === null) return constants.get(term);
  const magnitude = BigInt(number[2] as string);
  return registerValue(number[1] === '-' ? -magnitude : magnitude);
}

/** The unsigned 64 bits of a number, or undefined if it has more. */
export function registerValue(value: bigint): bigint | undefined {
  return value > WIDEST || value < LEAST ? undefined : BigInt.asUintN(64, value);
}
