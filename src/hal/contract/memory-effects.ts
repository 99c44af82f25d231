import type { ReadEffect, WriteEffect } from './effects.js';

type Buffer = Uint8Array | Uint16Array | Uint32Array;

/** The bytes below a typed array, without a copy. */
export function asBytes(values: Buffer): Uint8Array {
  return values instanceof Uint8Array
    ? values
    : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

interface ReadArgs {
  readonly region: number;
  readonly offset: number;
  readonly into: Buffer;
}

/** A read of `into.byteLength` bytes at `offset`. */
export function plainRead(): ReadEffect<ReadArgs> {
  return {
    kind: 'read',
    space: (args) => args.region,
    start: (args) => args.offset,
    length: (args) => args.into.byteLength,
    toBytes: (args) => asBytes(args.into),
    serve: (args, data) => {
      asBytes(args.into).set(data);
    },
  };
}

interface WriteArgs {
  readonly region: number;
  readonly offset: number;
}

export function plainWrite<A extends WriteArgs>(toBytes: (args: A) => Uint8Array): WriteEffect<A> {
  return {
    kind: 'write',
    space: (args) => args.region,
    start: (args) => args.offset,
    toBytes,
  };
}
