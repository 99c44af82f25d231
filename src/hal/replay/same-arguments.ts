import type { Codec } from '../contract/codec.js';
import type { CallSpec } from '../contract/define.js';
import { WireWriter } from '../contract/wire.js';
import type { Values } from './turn-decoder.js';

/** Whether two values are the same to a trace: they have the same bytes in it. Both fit the codec. */
export function sameValue(codec: Codec<unknown>, left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left === undefined || right === undefined) return false;
  const a = new WireWriter(64);
  const b = new WireWriter(64);
  codec.write(a, left);
  codec.write(b, right);
  if (a.position !== b.position) return false;
  for (let index = 0; index < a.position; index++) {
    if (a.bytes[index] !== b.bytes[index]) return false;
  }
  return true;
}

/** Whether a call has the arguments of a recorded one; of buffers to be filled, the length counts. */
export function sameArguments(spec: CallSpec, expected: Values, actual: Values): boolean {
  return spec.args.every(({ name, codec }) => {
    if (codec.isOut !== true) return sameValue(codec, expected[name], actual[name]);
    const wanted = expected[name] as { length: number };
    return wanted.length === (actual[name] as { length: number } | undefined)?.length;
  });
}
