import type { Decoded, Reply, Request, WireRefusal } from './messages.js';
import {
  config,
  features,
  memTable,
  readConfig,
  readMemTable,
  readVringAddr,
  vringAddr,
  words,
} from './payload.js';
import { BACKEND_REQUEST, type BackendRequestKind, REQUEST, type RequestKind } from './protocol.js';

interface Header {
  readonly code: number;
  readonly isReply: boolean;
  readonly needsReply: boolean;
  readonly payload: DataView;
}

const HEADER_BYTES = 12;
const VERSION = 1;
const VERSION_MASK = 3;
const FLAG_REPLY = 4;
const FLAG_NEED_REPLY = 8;
const INDEX_MASK = 0xff;
const NO_FD = 0x100;
const CONFIG_RESTORE = 1;

const KIND_OF_CODE: ReadonlyMap<number, RequestKind> = new Map(
  (Object.keys(REQUEST) as RequestKind[]).map((kind) => [REQUEST[kind], kind]),
);

export function encodeRequest(request: Request, needsReply: boolean): Uint8Array {
  const flags = VERSION | (needsReply ? FLAG_NEED_REPLY : 0);
  return frame(REQUEST[request.kind], flags, requestPayload(request));
}

export function encodeReply(to: RequestKind, reply: Reply): Uint8Array {
  return frame(REQUEST[to], VERSION | FLAG_REPLY, replyPayload(reply));
}

/** An answer of one number: features, a status, or an acknowledgement (0 for success). */
export function numberReply(low: number, high = 0): Reply {
  return { kind: 'number', features: { low, high } };
}

/** The refusal of a request whose payload was not understood. */
export function encodeRefusal(code: number): Uint8Array {
  return frame(code, VERSION | FLAG_REPLY, replyPayload(numberReply(1)));
}

export function encodeBackendRequest(kind: BackendRequestKind): Uint8Array {
  return frame(BACKEND_REQUEST[kind], VERSION, new Uint8Array(0));
}

/** Reads a request. Never throws: the bytes may be anything. */
export function decodeRequest(data: Uint8Array): Decoded<Request> {
  const header = readHeader(data);
  if (typeof header === 'string') return refused(header);
  if (header.isReply) return refused('not-a-request', header);
  const kind = KIND_OF_CODE.get(header.code);
  if (kind === undefined) return refused('unknown-request', header);
  const message = readRequest(kind, header.payload);
  if (message === undefined) return refused('bad-payload', header);
  return { ok: true, message, needsReply: header.needsReply };
}

/** Reads the reply to a request. `acknowledges` is true if the request has no reply of its own. Never throws. */
export function decodeReply(
  to: RequestKind,
  acknowledges: boolean,
  data: Uint8Array,
): Decoded<Reply> {
  const header = readHeader(data);
  if (typeof header === 'string') return refused(header);
  if (!header.isReply) return refused('not-a-reply', header);
  if (header.code !== REQUEST[to]) return refused('other-reply', header);
  const message = readReply(acknowledges ? 'set-owner' : to, header.payload);
  if (message === undefined) return refused('bad-payload', header);
  return { ok: true, message, needsReply: false };
}

/** Reads what a device says unasked. Never throws. */
export function decodeBackendRequest(data: Uint8Array): Decoded<BackendRequestKind> {
  const header = readHeader(data);
  if (typeof header === 'string') return refused(header);
  if (header.isReply) return refused('not-a-request', header);
  if (header.code !== BACKEND_REQUEST['config-change']) return refused('unknown-request', header);
  if (header.payload.byteLength !== 0) return refused('bad-payload', header);
  return { ok: true, message: 'config-change', needsReply: header.needsReply };
}

function refused(refusal: WireRefusal, header?: Header): Decoded<never> {
  return {
    ok: false,
    refusal,
    code: header?.code,
    needsReply: header !== undefined && !header.isReply && header.needsReply,
  };
}

function frame(code: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, code, true);
  view.setUint32(4, flags, true);
  view.setUint32(8, payload.length, true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function readHeader(data: Uint8Array): Header | WireRefusal {
  if (data.length < HEADER_BYTES) return 'short-header';
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const flags = view.getUint32(4, true);
  if ((flags & VERSION_MASK) !== VERSION) return 'bad-version';
  // The channel keeps message boundaries, so the size is known twice.
  if (view.getUint32(8, true) !== data.length - HEADER_BYTES) return 'bad-size';
  return {
    code: view.getUint32(0, true),
    isReply: (flags & FLAG_REPLY) !== 0,
    needsReply: (flags & FLAG_NEED_REPLY) !== 0,
    payload: new DataView(data.buffer, data.byteOffset + HEADER_BYTES, data.length - HEADER_BYTES),
  };
}

function requestPayload(request: Request): Uint8Array {
  switch (request.kind) {
    case 'set-features':
    case 'set-protocol-features':
      return words(request.features.low, request.features.high);
    case 'set-mem-table':
      return memTable(request.regions);
    case 'set-vring-num':
    case 'set-vring-base':
    case 'get-vring-base':
    case 'set-vring-enable':
      return words(request.index, request.value);
    case 'set-vring-addr':
      return vringAddr(request);
    case 'set-vring-kick':
    case 'set-vring-call':
    case 'set-vring-err':
      return words(request.index | (request.attached ? 0 : NO_FD), 0);
    case 'get-config':
      return config(request.offset, 0, new Uint8Array(request.size));
    case 'set-config':
      return config(
        request.offset,
        request.purpose === 'restore' ? CONFIG_RESTORE : 0,
        request.bytes,
      );
    case 'set-status':
      return words(request.status, 0);
    default:
      return new Uint8Array(0);
  }
}

function replyPayload(reply: Reply): Uint8Array {
  switch (reply.kind) {
    case 'number':
      return words(reply.features.low, reply.features.high);
    case 'vring-state':
      return words(reply.index, reply.value);
    case 'config':
      return reply.bytes.length === 0 ? new Uint8Array(0) : config(reply.offset, 0, reply.bytes);
  }
}

function readRequest(kind: RequestKind, payload: DataView): Request | undefined {
  switch (kind) {
    case 'set-features':
    case 'set-protocol-features':
      return payload.byteLength === 8 ? { kind, features: features(payload) } : undefined;
    case 'set-mem-table':
      return readMemTable(payload);
    case 'set-vring-num':
    case 'set-vring-base':
    case 'get-vring-base':
    case 'set-vring-enable':
      if (payload.byteLength !== 8) return undefined;
      return { kind, index: payload.getUint32(0, true), value: payload.getUint32(4, true) };
    case 'set-vring-addr':
      return readVringAddr(payload);
    case 'set-vring-kick':
    case 'set-vring-call':
    case 'set-vring-err': {
      const low = payload.byteLength === 8 ? payload.getUint32(0, true) : undefined;
      if (low === undefined || low > (INDEX_MASK | NO_FD)) return undefined;
      if (payload.getUint32(4, true) !== 0) return undefined;
      return { kind, index: low & INDEX_MASK, attached: (low & NO_FD) === 0 };
    }
    case 'get-config': {
      const read = readConfig(payload);
      return read && { kind, offset: read.offset, size: read.bytes.length };
    }
    case 'set-config': {
      const read = readConfig(payload);
      if (read === undefined || read.flags > CONFIG_RESTORE) return undefined;
      const purpose = read.flags === CONFIG_RESTORE ? 'restore' : 'driver';
      return { kind, offset: read.offset, purpose, bytes: read.bytes };
    }
    case 'set-status': {
      const isByte = payload.byteLength === 8 && payload.getUint32(4, true) === 0;
      const status = isByte ? payload.getUint32(0, true) : INDEX_MASK + 1;
      return status <= INDEX_MASK ? { kind, status } : undefined;
    }
    default:
      return payload.byteLength === 0 ? { kind } : undefined;
  }
}

function readReply(to: RequestKind, payload: DataView): Reply | undefined {
  switch (to) {
    case 'get-config': {
      if (payload.byteLength === 0) {
        return { kind: 'config', offset: 0, bytes: new Uint8Array(0) };
      }
      const read = readConfig(payload);
      return read && { kind: 'config', offset: read.offset, bytes: read.bytes };
    }
    case 'get-vring-base': {
      if (payload.byteLength !== 8) return undefined;
      const index = payload.getUint32(0, true);
      return { kind: 'vring-state', index, value: payload.getUint32(4, true) };
    }
    default:
      return payload.byteLength === 8 ? { kind: 'number', features: features(payload) } : undefined;
  }
}
