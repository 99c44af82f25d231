import test from 'ava';
import fc from 'fast-check';
import { parseArm64Image } from '../../src/machine/arm64-image.js';
import { GuestImageError } from '../../src/machine/linux-guest.js';
import { ARM64_FILE_BYTES, arm64ImageHead } from './fake-kernel.js';

const parse = (head: Uint8Array, fileBytes = ARM64_FILE_BYTES) =>
  parseArm64Image('vmlinuz', head, fileBytes);

test('the numbers of an Image are read', (t) => {
  t.deepEqual(parse(arm64ImageHead()), { textOffset: 0, imageBytes: 0x1ab0000 });
  const old = arm64ImageHead({ 8: [0, 0, 8] });
  t.is(parse(old).textOffset, 0x80000);
});

test('an Image without an EFI header has no end to be checked', (t) => {
  t.notThrows(() => parse(arm64ImageHead({ 0: [0, 0] }), 4096));
});

for (const { what, head, fileBytes, code, says } of [
  {
    what: 'an empty file',
    head: new Uint8Array(0),
    fileBytes: 0,
    code: 'BAD_KERNEL',
    says: /only 0/,
  },
  {
    what: 'another magic',
    head: arm64ImageHead({ 56: [0] }),
    code: 'BAD_KERNEL',
    says: /no Image header/,
  },
  {
    what: 'a bzImage',
    head: arm64ImageHead({ 56: [0], 514: [0x48, 0x64, 0x72, 0x53] }),
    code: 'BAD_KERNEL',
    says: /bzImage for x86_64/,
  },
  {
    what: 'a kernel in gzip',
    head: arm64ImageHead({ 0: [0x1f, 0x8b], 56: [0] }),
    code: 'BAD_KERNEL',
    says: /gunzip/,
  },
  {
    what: 'a zboot kernel',
    head: arm64ImageHead({ 4: [0x7a, 0x69, 0x6d, 0x67], 56: [0] }),
    code: 'BAD_KERNEL',
    says: /zboot/,
  },
  {
    what: 'a big-endian kernel',
    head: arm64ImageHead({ 24: [0x0b] }),
    code: 'BAD_KERNEL',
    says: /big-endian/,
  },
  {
    what: 'a kernel of no size',
    head: arm64ImageHead({ 16: [0, 0, 0, 0] }),
    code: 'BAD_KERNEL',
    says: /3\.17/,
  },
  {
    what: 'a kernel of terabytes',
    head: arm64ImageHead({ 21: [1] }),
    code: 'BAD_KERNEL',
    says: /4 GiB/,
  },
  {
    what: 'a kernel cut off by one byte',
    head: arm64ImageHead(),
    fileBytes: ARM64_FILE_BYTES - 1,
    code: 'TRUNCATED_IMAGE',
    says: /cut off: it has 27000831 of 27000832 bytes/,
  },
] as const) {
  test(`${what} is refused, with what it is`, (t) => {
    const error = t.throws(() => parse(head, fileBytes), { instanceOf: GuestImageError });
    t.is(error?.code, code);
    t.regex(error?.message ?? '', says);
    t.regex(error?.message ?? '', /vmlinuz/);
  });
}

test('whatever the file says, it is read or refused', (t) => {
  const changes = fc.dictionary(
    fc.nat(0x200).map(String),
    fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }),
  );
  fc.assert(
    fc.property(changes, fc.nat(4096), fc.nat(2 ** 31), (changed, length, fileBytes) => {
      try {
        const image = parse(arm64ImageHead(changed).subarray(0, length), fileBytes);
        t.true(image.imageBytes > 0 && image.textOffset + image.imageBytes <= 2 ** 32);
      } catch (error) {
        t.true(error instanceof GuestImageError, String(error));
      }
    }),
  );
});
