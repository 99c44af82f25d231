import fc from 'fast-check';
import { encodeRequest } from '../../../../src/devices/virtio/vhost-user/codec.js';
import type { Request } from '../../../../src/devices/virtio/vhost-user/messages.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u53 = fc.maxSafeNat();
const index = fc.integer({ min: 0, max: 255 });
const features = fc.record({ low: u32, high: u32 });
const region = fc.record({ guestAddress: u53, size: u53, userAddress: u53, mmapOffset: u53 });

/** Every kind of request, with any values that its fields can hold. */
export const aRequest: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      'get-features',
      'set-owner',
      'get-protocol-features',
      'set-backend-req-fd',
      'get-status',
    ),
  }),
  fc.record({ kind: fc.constantFrom('set-features', 'set-protocol-features'), features }),
  fc.record({ kind: fc.constant('set-mem-table'), regions: fc.array(region, { maxLength: 8 }) }),
  fc.record({
    kind: fc.constantFrom('set-vring-num', 'set-vring-base', 'get-vring-base', 'set-vring-enable'),
    index: u32,
    value: u32,
  }),
  fc.record({
    kind: fc.constant('set-vring-addr'),
    index: u32,
    flags: u32,
    descriptors: u53,
    used: u53,
    avail: u53,
  }),
  fc.record({
    kind: fc.constantFrom('set-vring-kick', 'set-vring-call', 'set-vring-err'),
    index,
    attached: fc.boolean(),
  }),
  fc
    .record({ offset: fc.integer({ min: 0, max: 200 }), size: fc.integer({ min: 1, max: 56 }) })
    .map(({ offset, size }) => ({ kind: 'get-config', offset, size })),
  fc.record({
    kind: fc.constant('set-config'),
    offset: fc.integer({ min: 0, max: 200 }),
    purpose: fc.constantFrom('driver', 'restore'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 56 }),
  }),
  fc.record({ kind: fc.constant('set-status'), status: fc.integer({ min: 0, max: 255 }) }),
) as fc.Arbitrary<Request>;

/** Bytes that are a message, were one, or never were. */
export const mutated: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc
    .tuple(aRequest, fc.boolean(), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }))
    .map(([request, needsReply, changes]) => {
      const bytes = encodeRequest(request, needsReply);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    }),
);
