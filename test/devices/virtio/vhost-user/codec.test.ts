import test from 'ava';
import fc from 'fast-check';
import {
  decodeBackendRequest,
  decodeReply,
  decodeRequest,
  encodeBackendRequest,
  encodeRefusal,
  encodeReply,
  encodeRequest,
  numberReply,
} from '../../../../src/devices/virtio/vhost-user/codec.js';
import { aRequest, mutated } from './arbitraries.js';

test('the bytes are those of the specification', (t) => {
  const request = { kind: 'set-vring-num', index: 2, value: 128 } as const;
  t.deepEqual(
    [...encodeRequest(request, true)],
    [8, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 128, 0, 0, 0],
  );
  t.deepEqual(
    [...encodeRequest({ kind: 'set-vring-kick', index: 1, attached: false }, false)],
    [12, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
  );
  const region = { guestAddress: 0x1000, size: 0x2000, userAddress: 2 ** 44, mmapOffset: 0 };
  const table = encodeRequest({ kind: 'set-mem-table', regions: [region] }, false);
  t.is(table.length, 12 + 8 + 32);
  t.deepEqual([...table.subarray(12, 20)], [1, 0, 0, 0, 0, 0, 0, 0]);
  t.deepEqual([...table.subarray(36, 44)], [0, 0, 0, 0, 0, 16, 0, 0]);
  t.deepEqual([...encodeBackendRequest('config-change')], [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  t.deepEqual(
    [...encodeReply('get-status', numberReply(15))].slice(0, 8),
    [40, 0, 0, 0, 5, 0, 0, 0],
  );
});

test('every request survives the way there', (t) => {
  fc.assert(
    fc.property(aRequest, fc.boolean(), (message, needsReply) => {
      t.deepEqual(decodeRequest(encodeRequest(message, needsReply)), {
        ok: true,
        message,
        needsReply,
      });
    }),
    { numRuns: 500 },
  );
});

test('a message of other bytes is refused with a reason, and never throws', (t) => {
  const good = encodeRequest({ kind: 'set-status', status: 4 }, true);
  const change = (offset: number, value: number) => {
    const bytes = good.slice();
    bytes[offset] = value;
    return decodeRequest(bytes);
  };
  const refusalOf = (decoded: ReturnType<typeof decodeRequest>) =>
    decoded.ok ? undefined : decoded.refusal;
  t.is(refusalOf(decodeRequest(good.subarray(0, 11))), 'short-header');
  t.is(refusalOf(change(4, 10)), 'bad-version');
  t.is(refusalOf(change(8, 9)), 'bad-size');
  t.is(refusalOf(change(0, 99)), 'unknown-request');
  t.is(refusalOf(change(4, 5)), 'not-a-request');
  t.is(refusalOf(change(13, 1)), 'bad-payload');
  t.deepEqual(decodeRequest(encodeRefusal(39)), {
    ok: false,
    refusal: 'not-a-request',
    code: 39,
    needsReply: false,
  });
});

test('what decodes encodes to the same bytes again, whatever the bytes were', (t) => {
  let understood = 0;
  fc.assert(
    fc.property(mutated, (bytes) => {
      const decoded = decodeRequest(bytes);
      decodeBackendRequest(bytes);
      decodeReply('get-config', false, bytes);
      if (!decoded.ok) return;
      understood++;
      const again = decodeRequest(encodeRequest(decoded.message, decoded.needsReply));
      t.deepEqual(again, decoded);
    }),
    { numRuns: 5000 },
  );
  t.true(understood > 100, `${understood}`);
});

test('replies: of the request that was made, and no other', (t) => {
  const config = { kind: 'config', offset: 4, bytes: Uint8Array.of(1, 2, 3, 4) } as const;
  const data = encodeReply('get-config', config);
  t.deepEqual(decodeReply('get-config', false, data), {
    ok: true,
    message: config,
    needsReply: false,
  });
  const reasonOf = (decoded: ReturnType<typeof decodeReply>) =>
    decoded.ok ? 'ok' : decoded.refusal;
  t.is(reasonOf(decodeReply('get-status', false, data)), 'other-reply');
  t.is(reasonOf(decodeReply('get-config', false, data.subarray(0, 20))), 'bad-size');
  t.is(
    reasonOf(decodeReply('get-status', false, encodeRequest({ kind: 'get-status' }, false))),
    'not-a-reply',
  );
  const acknowledged = decodeReply('set-config', true, encodeReply('set-config', numberReply(1)));
  t.deepEqual(acknowledged, { ok: true, message: numberReply(1), needsReply: false });
});
