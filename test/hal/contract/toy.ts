import {
  byteRanges,
  bytes,
  list,
  out,
  record,
  u32Array,
  u32Runs,
} from '../../../src/hal/contract/arrays.js';
import {
  bool,
  handle,
  i32,
  milli,
  oneOf,
  optional,
  text,
  u8,
  u32,
  u53,
  u64,
} from '../../../src/hal/contract/codec.js';
import { call, defineHal, event, retired } from '../../../src/hal/contract/define.js';

/** A contract with one entry for everything that a declaration can say. */
export const Toy = defineHal('toy', {
  plain: call({ a: u8, b: u53 }, { returns: u32 }),
  nothing: call({}),
  gone: retired(),
  several: call(
    { name: text },
    { returns: { low: i32, high: u64, level: oneOf('on', 'half-on') } },
  ),
  fill: call({ at: u32, into: out(bytes), frames: out(u32Runs) }, { returns: bool }),
  maybe: call(
    { first: optional(u32), label: optional(text), third: optional(bytes) },
    { returns: { count: optional(u32), reply: optional(text) } },
  ),
  find: call({ key: optional(text) }, { returns: optional(u32) }),
  lists: call(
    {
      numbers: u32Array,
      ranges: byteRanges,
      rows: list(record({ id: u32, celsius: milli('celsius') })),
    },
    { returns: list(u8) },
  ),
  answer: call(
    { id: handle('question'), value: u8 },
    {
      answers: {
        event: 'question',
        key: 'id',
        onFailure: (asked: { id: number }) => ({ id: asked.id, value: 255 }),
      },
    },
  ),
  question: event({ id: handle('question'), topic: optional(text) }, { key: 'id' }),
  reading: event({ sensor: u8, celsius: milli('celsius') }, { key: 'sensor' }),
  bare: event({}),
});
