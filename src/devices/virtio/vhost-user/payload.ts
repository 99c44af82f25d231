import type { FeatureSet } from '../features.js';
import type { MemRegion, Request } from './messages.js';
import { MAX_CONFIG_BYTES, MAX_MEM_REGIONS } from './protocol.js';

const REGION_BYTES = 32;
const CONFIG_HEADER_BYTES = 12;
const VRING_ADDR_BYTES = 40;

export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  return bytes;
}

export function features(payload: DataView): FeatureSet {
  return { low: payload.getUint32(0, true), high: payload.getUint32(4, true) };
}

export function memTable(regions: readonly MemRegion[]): Uint8Array {
  const bytes = new Uint8Array(8 + regions.length * REGION_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, regions.length, true);
  regions.forEach(({ guestAddress, size, userAddress, mmapOffset }, index) => {
    [guestAddress, size, userAddress, mmapOffset].forEach((value, field) => {
      setU64(view, 8 + index * REGION_BYTES + field * 8, value);
    });
  });
  return bytes;
}

export function readMemTable(payload: DataView): Request | undefined {
  if (payload.byteLength < 8) return undefined;
  const count = payload.getUint32(0, true);
  if (count > MAX_MEM_REGIONS || payload.byteLength !== 8 + count * REGION_BYTES) return undefined;
  const regions: MemRegion[] = [];
  for (let index = 0; index < count; index++) {
    const at = 8 + index * REGION_BYTES;
    const guestAddress = getU64(payload, at);
    const size = getU64(payload, at + 8);
    const userAddress = getU64(payload, at + 16);
    const mmapOffset = getU64(payload, at + 24);
    if (guestAddress === undefined || size === undefined) return undefined;
    if (userAddress === undefined || mmapOffset === undefined) return undefined;
    regions.push({ guestAddress, size, userAddress, mmapOffset });
  }
  return { kind: 'set-mem-table', regions };
}

export function vringAddr(request: Extract<Request, { kind: 'set-vring-addr' }>): Uint8Array {
  const view = new DataView(new ArrayBuffer(VRING_ADDR_BYTES));
  view.setUint32(0, request.index, true);
  view.setUint32(4, request.flags, true);
  setU64(view, 8, request.descriptors);
  setU64(view, 16, request.used);
  setU64(view, 24, request.avail);
  return new Uint8Array(view.buffer);
}

export function readVringAddr(payload: DataView): Request | undefined {
  if (payload.byteLength !== VRING_ADDR_BYTES) return undefined;
  const descriptors = getU64(payload, 8);
  const used = getU64(payload, 16);
  const avail = getU64(payload, 24);
  if (descriptors === undefined || used === undefined || avail === undefined) return undefined;
  const index = payload.getUint32(0, true);
  const flags = payload.getUint32(4, true);
  return { kind: 'set-vring-addr', index, flags, descriptors, used, avail };
}

export function config(offset: number, flags: number, bytes: Uint8Array): Uint8Array {
  const payload = new Uint8Array(CONFIG_HEADER_BYTES + bytes.length);
  payload.set(words(offset, bytes.length, flags));
  payload.set(bytes, CONFIG_HEADER_BYTES);
  return payload;
}

export function readConfig(
  payload: DataView,
): { offset: number; flags: number; bytes: Uint8Array } | undefined {
  if (payload.byteLength < CONFIG_HEADER_BYTES) return undefined;
  const offset = payload.getUint32(0, true);
  const size = payload.getUint32(4, true);
  if (size === 0 || offset + size > MAX_CONFIG_BYTES) return undefined;
  if (payload.byteLength !== CONFIG_HEADER_BYTES + size) return undefined;
  const start = payload.byteOffset + CONFIG_HEADER_BYTES;
  const bytes = new Uint8Array(payload.buffer, start, size).slice();
  return { offset, flags: payload.getUint32(8, true), bytes };
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Undefined beyond 2^53: no address or size of ours is there. */
function getU64(view: DataView, at: number): number | undefined {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  return Number.isSafeInteger(value) ? value : undefined;
}
