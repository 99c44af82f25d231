export { type ComposedLane, composeLane, type Profile } from './compose.js';
export type { AnyImplementation } from './hal/bind.js';
export {
  byteRanges,
  bytes,
  list,
  out,
  record,
  u16Array,
  u32Array,
  u32Runs,
} from './hal/contract/arrays.js';
export {
  bool,
  type Codec,
  handle,
  i32,
  milli,
  oneOf,
  optional,
  quantity,
  text,
  u8,
  u16,
  u32,
  u53,
  u64,
} from './hal/contract/codec.js';
export {
  call,
  defineHal,
  event,
  guestAddress,
  type HalContract,
  type HalEvents,
  type HalOf,
  nanoseconds,
  retired,
  sizeInBytes,
} from './hal/contract/define.js';
export { HalError, type HalErrorCode, UnsupportedError } from './hal/contract/errors.js';
export { syscall } from './hal/contract/footprint.js';
export { type Emitter, type Implementation, implement } from './hal/contract/implementation.js';
export type { Bytes, GuestAddress, MiB, Nanoseconds, PageFrame } from './hal/contract/units.js';
export {
  DivergenceError,
  type DivergenceReport,
  formatDivergence,
} from './hal/replay/divergence.js';
export { ConfigError, type Lane, type Program, type ProgramRoot } from './program.js';
export { type EventSource, Reactor, type RunEnd } from './reactor/reactor.js';
