import test from 'ava';
import fc from 'fast-check';
import { BZIMAGE_HEAD_BYTES, parseBzImage, SETUP_HEADER } from '../../src/machine/bzimage.js';
import { GuestImageError } from '../../src/machine/linux-guest.js';
import { bzImageHead, KERNEL_FILE_BYTES } from './fake-kernel.js';

const parse = (head: Uint8Array, bytes = KERNEL_FILE_BYTES) => parseBzImage('vmlinuz', head, bytes);

test('a Debian kernel’s head says where its parts are', (t) => {
  const image = parse(bzImageHead());
  t.is(image.kernelOffset, 40 * 512);
  t.is(image.kernelBytes, KERNEL_FILE_BYTES - 40 * 512);
  t.is(image.preferredAddress, 0x1000000);
  t.is(image.initBytes, 0x3378000);
  t.is(image.highestInitrd, 0x7fffffff);
  t.is(image.longestCommandLine, 2047);
  t.is(image.setupHeader.length, 0x202 + 0x6a - SETUP_HEADER);
});

for (const { what, head, code, says, bytes } of [
  { what: 'an empty file', head: new Uint8Array(0), code: 'BAD_KERNEL', says: /only/ },
  {
    what: 'a text',
    head: new Uint8Array(4096).fill(0x41),
    code: 'BAD_KERNEL',
    says: /setup header/,
  },
  {
    what: 'an Image of arm64',
    head: bzImageHead({ 56: [0x41, 0x52, 0x4d, 0x64] }),
    code: 'BAD_KERNEL',
    says: /arm64/,
  },
  {
    what: 'an old protocol',
    head: bzImageHead({ 518: [0x0b, 2] }),
    code: 'BAD_KERNEL',
    says: /2\.11/,
  },
  { what: 'a zImage', head: bzImageHead({ 529: [0] }), code: 'BAD_KERNEL', says: /zImage/ },
  {
    what: 'a 32-bit kernel',
    head: bzImageHead({ 566: [0x7e, 0] }),
    code: 'BAD_KERNEL',
    says: /64-bit/,
  },
  {
    what: 'a file cut off',
    head: bzImageHead(),
    bytes: KERNEL_FILE_BYTES - 1,
    code: 'TRUNCATED_IMAGE',
    says: /cut off/,
  },
] as const) {
  test(`${what} is refused with a reason`, (t) => {
    const error = t.throws(() => parse(head, bytes ?? head.length), {
      instanceOf: GuestImageError,
    });
    t.is(error?.code, code);
    t.regex(error?.message ?? '', says);
    t.regex(error?.message ?? '', /^(the kernel )?vmlinuz /);
  });
}

test('no head makes it fail in another way', (t) => {
  const heads = fc.uint8Array({ maxLength: BZIMAGE_HEAD_BYTES });
  const patched = fc
    .array(fc.tuple(fc.integer({ min: 0x1f0, max: 0x267 }), fc.nat(255)), { maxLength: 8 })
    .map((patches) => bzImageHead(Object.fromEntries(patches.map(([at, byte]) => [at, [byte]]))));
  fc.assert(
    fc.property(fc.oneof(heads, patched), fc.nat(2 ** 31), (head, bytes) => {
      try {
        const image = parse(head, bytes);
        t.true(image.kernelOffset + image.kernelBytes <= bytes);
        t.true(image.setupHeader.length <= 0x302 - SETUP_HEADER);
      } catch (error) {
        t.true(error instanceof GuestImageError);
      }
    }),
  );
});
