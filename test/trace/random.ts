/** A small generator with a seed, so that a failing mutation can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}

const NASTY_LENGTHS = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Changes a copy of `bytes` in one to three ways: flips, cuts, splices, lies about lengths. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let mutated: Uint8Array = bytes.slice();
  for (let count = 1 + random.below(3); count > 0; count -= 1) mutated = once(mutated, random);
  return mutated;
}

function once(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return new Uint8Array(Buffer.concat([bytes.subarray(0, at), randomPiece(bytes, random)]));
    case 2:
      return new Uint8Array(
        Buffer.concat([bytes.subarray(0, at), randomPiece(bytes, random), bytes.subarray(at)]),
      );
    case 3:
      if (at + 8 <= bytes.length) lie(bytes, at, random);
      return bytes;
    default:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
  }
}

function randomPiece(bytes: Uint8Array, random: Random): Uint8Array {
  const from = random.below(bytes.length + 1);
  return bytes.slice(from, from + random.below(bytes.length - from + 1));
}

function lie(bytes: Uint8Array, at: number, random: Random): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, NASTY_LENGTHS[random.below(NASTY_LENGTHS.length)] ?? 0, true);
  if (random.below(2) === 0) view.setUint32(at + 4, random.below(3), true);
}
