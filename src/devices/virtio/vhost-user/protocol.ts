import { type FeatureSet, featureSet } from '../features.js';

/**
 * Numbers of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst, "Message types"), as far as this project
 * speaks it. Fields are little-endian: the specification says host order, and every host we run on is.
 */
export const REQUEST = {
  'get-features': 1,
  'set-features': 2,
  'set-owner': 3,
  'set-mem-table': 5,
  'set-vring-num': 8,
  'set-vring-addr': 9,
  'set-vring-base': 10,
  'get-vring-base': 11,
  'set-vring-kick': 12,
  'set-vring-call': 13,
  'set-vring-err': 14,
  'get-protocol-features': 15,
  'set-protocol-features': 16,
  'set-vring-enable': 18,
  'set-backend-req-fd': 21,
  'get-config': 24,
  'set-config': 25,
  'set-status': 39,
  'get-status': 40,
} as const;

/** What a device says on the backend channel, unasked. */
export const BACKEND_REQUEST = { 'config-change': 2 } as const;

export type RequestKind = keyof typeof REQUEST;
export type BackendRequestKind = keyof typeof BACKEND_REQUEST;

/** Feature bit of the device: the protocol features below exist. Not a bit of virtio; a driver never sees it. */
export const FEATURE_PROTOCOL_FEATURES = 30;

const PROTOCOL_REPLY_ACK = 3;
const PROTOCOL_BACKEND_REQ = 5;
const PROTOCOL_CONFIG = 9;
const PROTOCOL_STATUS = 16;

/** What both sides need: acknowledgements, the backend channel, the config space, the device status. */
export const PROTOCOL_FEATURES: FeatureSet = featureSet([
  PROTOCOL_REPLY_ACK,
  PROTOCOL_BACKEND_REQ,
  PROTOCOL_CONFIG,
  PROTOCOL_STATUS,
]);

export const MAX_MEM_REGIONS = 8;
export const MAX_CONFIG_BYTES = 256;

/**
 * The protocol names ring and memory addresses in the front-end's own address space. A pointer would differ in every
 * run, so a user address here is the guest-physical address plus this constant: stable, never 0, and never taken for a
 * guest address by mistake.
 */
export const USER_ADDRESS_OFFSET = 0x1000_0000_0000;

/**
 * Where the page with the shared InterruptStatus word stands in the memory table: an entry of its own, above every
 * address that x86_64 or arm64 can give RAM (52 bits). A device takes it out of what it believes to be RAM, so no guest
 * can name it; a device that does not know of it maps a page that it never uses. The word is at the entry's start.
 */
export const STATUS_PAGE_ADDRESS = 2 ** 52;

/** Instead of it, a whole page of registers that the guest reads: the word is where InterruptStatus is among them. */
export const REGISTER_PAGE_ADDRESS = STATUS_PAGE_ADDRESS + 4096;
