import { type BalloonStats, encodeStats, MAX_STATS_BYTES, parseStats } from './stats.js';
import type { StatsFailure } from './stats-requests.js';

/**
 * Statistics of a balloon in a process of its own, over its control channel. They are the manager's business and no part
 * of virtio, so they travel beside the target, as in crosvm, and not as a private vhost-user request: request numbers
 * belong to that protocol's authors, and another VMM's front-end would find one that it does not know. A device that
 * does not know the message ignores it, as any that is not 8 bytes long.
 *
 * Little-endian. Request: u32 magic, u32 id, u32 0. Answer: u32 magic, u32 id, u32 outcome, and for outcome 0 the
 * statistics as records of virtio (u16 tag, u64 value).
 */
const MAGIC = 0x5441_5453;
const REQUEST_BYTES = 12;
const HEADER_BYTES = 12;
const ANSWERED = 0;

const CODE_OF_FAILURE: Readonly<Record<StatsFailure, number>> = {
  'timed-out': 1,
  malformed: 2,
  reset: 3,
  'not-ready': 4,
  'device-lost': 5,
};
const FAILURE_OF_CODE: ReadonlyMap<number, StatsFailure> = new Map(
  (Object.keys(CODE_OF_FAILURE) as StatsFailure[]).map((name) => [CODE_OF_FAILURE[name], name]),
);

export interface StatsAnswer {
  readonly id: number;
  readonly outcome: BalloonStats | StatsFailure;
}

/** @param id a u32. */
export function encodeStatsRequest(id: number): Uint8Array {
  return header(id, 0, new Uint8Array(0));
}

/** @returns the request's id; undefined if the message is none. */
export function decodeStatsRequest(message: Uint8Array): number | undefined {
  const view = viewOf(message);
  if (message.length !== REQUEST_BYTES || view.getUint32(0, true) !== MAGIC) return undefined;
  return view.getUint32(8, true) === 0 ? view.getUint32(4, true) : undefined;
}

export function encodeStatsAnswer({ id, outcome }: StatsAnswer): Uint8Array {
  return typeof outcome === 'string'
    ? header(id, CODE_OF_FAILURE[outcome], new Uint8Array(0))
    : header(id, ANSWERED, encodeStats(outcome));
}

/** Reads what a device sent. Never throws: the device is not trusted. @returns undefined if it is no answer. */
export function decodeStatsAnswer(message: Uint8Array): StatsAnswer | undefined {
  const tooLong = message.length > HEADER_BYTES + MAX_STATS_BYTES;
  if (message.length < HEADER_BYTES || tooLong) return undefined;
  const view = viewOf(message);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  const id = view.getUint32(4, true);
  const code = view.getUint32(8, true);
  if (code === ANSWERED) {
    const { stats, remainder } = parseStats(message.subarray(HEADER_BYTES));
    return remainder === 0 ? { id, outcome: stats } : undefined;
  }
  const outcome = FAILURE_OF_CODE.get(code);
  return outcome === undefined || message.length !== HEADER_BYTES ? undefined : { id, outcome };
}

function header(id: number, code: number, content: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + content.length);
  const view = viewOf(message);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, id, true);
  view.setUint32(8, code, true);
  message.set(content, HEADER_BYTES);
  return message;
}

function viewOf(message: Uint8Array): DataView {
  return new DataView(message.buffer, message.byteOffset, message.byteLength);
}
