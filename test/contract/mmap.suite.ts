import { createHash } from 'node:crypto';
import { Mmap } from '../../src/hal/mmap.js';
import { type Check, NO_WHOLE_NUMBERS, never, refused, type Suite } from './rig.js';

const PAGE = 4096;
const SIZE = 16 * PAGE;

/** `Mmap`, without memory of other processes (see channel.suite.ts). */
export const mmapSuite: Suite = (check) => {
  accessTests(check);
  atomicTests(check);
  discardTests(check);
  loadTests(check);
  refusalTests(check);
};

function accessTests(check: Check): void {
  check('mmap: a new region reads as zero, and keeps what is written', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: SIZE });
    const into = new Uint8Array(8).fill(0xff);
    mmap.read({ region, offset: SIZE - 8, into });
    t.deepEqual(into, new Uint8Array(8));
    mmap.write({ region, offset: SIZE - 4, data: new Uint8Array([1, 2, 3, 4]) });
    mmap.read({ region, offset: SIZE - 8, into });
    t.deepEqual([...into], [0, 0, 0, 0, 1, 2, 3, 4]);
  });

  check('mmap: typed reads and writes are little-endian', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: SIZE });
    mmap.writeU32Array({ region, offset: 4, data: new Uint32Array([0x04030201, 0xfffefdfc]) });
    const bytes = new Uint8Array(8);
    mmap.read({ region, offset: 4, into: bytes });
    t.deepEqual([...bytes], [1, 2, 3, 4, 0xfc, 0xfd, 0xfe, 0xff]);
    const words = new Uint32Array(2);
    mmap.readU32Array({ region, offset: 4, into: words });
    t.deepEqual([...words], [0x04030201, 0xfffefdfc]);
    const halves = new Uint16Array(2);
    mmap.readU16Array({ region, offset: 6, into: halves });
    t.deepEqual([...halves], [0x0403, 0xfdfc]);
  });

  check('mmap: empty reads and writes are allowed up to the end', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    mmap.read({ region, offset: PAGE, into: new Uint8Array(0) });
    mmap.write({ region, offset: PAGE, data: new Uint8Array(0) });
    refused(t, 'OUT_OF_BOUNDS', () =>
      mmap.read({ region, offset: PAGE + 1, into: new Uint8Array(0) }),
    );
  });

  check('mmap: a part of a larger buffer is filled, and nothing beside it', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    mmap.write({ region, offset: 0, data: new Uint8Array([1, 2]) });
    const whole = new Uint8Array(4).fill(9);
    mmap.read({ region, offset: 0, into: whole.subarray(1, 3) });
    t.deepEqual([...whole], [9, 1, 2, 9]);
  });

  check('mmap: more than 4 GiB, at its very end', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const size = 5 * 2 ** 30;
    const region = mmap.createRegion({ name: 'large', size });
    mmap.storeReleaseU16({ region, offset: size - 2, value: 0xbeef });
    t.is(mmap.loadAcquireU16({ region, offset: size - 2 }), 0xbeef);
    t.is(mmap.describe({ region }).size, size);
    t.is(mmap.residency({ region }), PAGE);
    mmap.discard({ region, ranges: new Float64Array([size - PAGE, PAGE]) });
    t.is(mmap.residency({ region }), 0);
  });
}

function atomicTests(check: Check): void {
  check('mmap: acquire loads see release stores', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    mmap.storeReleaseU16({ region, offset: 2, value: 0xffff });
    t.is(mmap.loadAcquireU16({ region, offset: 2 }), 0xffff);
    t.is(mmap.loadAcquireU32({ region, offset: 0 }), 0xffff0000);
  });

  check('mmap: orU32 and andU32 return what was there before', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    t.is(mmap.orU32({ region, offset: 8, mask: 0x80000001 }), 0);
    t.is(mmap.orU32({ region, offset: 8, mask: 2 }), 0x80000001);
    t.is(mmap.andU32({ region, offset: 8, mask: 0x80000002 }), 0x80000003);
    t.is(mmap.loadAcquireU32({ region, offset: 8 }), 0x80000002);
  });

  check('mmap: words must be aligned and their values fit', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    refused(t, 'INVALID_ARGUMENT', () => mmap.loadAcquireU16({ region, offset: 1 }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.loadAcquireU32({ region, offset: 2 }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.orU32({ region, offset: 6, mask: 1 }));
    refused(t, 'INVALID_ARGUMENT', () =>
      mmap.readU32Array({ region, offset: 2, into: new Uint32Array(1) }),
    );
    refused(t, 'INVALID_ARGUMENT', () =>
      mmap.readU16Array({ region, offset: 1, into: new Uint16Array(1) }),
    );
    for (const value of [-1, 0x10000, 0.5]) {
      refused(t, 'INVALID_ARGUMENT', () => mmap.storeReleaseU16({ region, offset: 0, value }));
    }
    refused(t, 'INVALID_ARGUMENT', () => mmap.orU32({ region, offset: 0, mask: 2 ** 32 }));
    t.is(mmap.loadAcquireU32({ region, offset: 0 }), 0);
  });
}

function discardTests(check: Check): void {
  check('mmap: discard gives pages back to the host, and they read as zero', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: SIZE });
    mmap.write({ region, offset: 0, data: new Uint8Array(SIZE).fill(7) });
    t.is(mmap.residency({ region }), SIZE);
    mmap.discard({ region, ranges: new Float64Array([0, 2 * PAGE, 8 * PAGE, PAGE, 0, 0]) });
    t.is(mmap.residency({ region }), SIZE - 3 * PAGE);
    const into = new Uint8Array(2);
    mmap.read({ region, offset: 2 * PAGE - 1, into });
    t.deepEqual([...into], [0, 7]);
    mmap.read({ region, offset: 9 * PAGE - 1, into });
    t.deepEqual([...into], [0, 7]);
    t.is(mmap.describe({ region }).pageSize, PAGE);
    t.true(['madv-remove', 'punch-hole'].includes(mmap.describe({ region }).primitive));
  });

  check('mmap: one bad range refuses all of them, before anything is done', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: SIZE });
    mmap.write({ region, offset: 0, data: new Uint8Array(SIZE).fill(7) });
    const bad: [Parameters<typeof refused>[1], number[]][] = [
      ['INVALID_ARGUMENT', [0, PAGE, 1, PAGE]],
      ['INVALID_ARGUMENT', [0, PAGE, PAGE, 100]],
      ['INVALID_ARGUMENT', [0, PAGE, -PAGE, PAGE]],
      ['INVALID_ARGUMENT', [0, PAGE, Number.NaN, PAGE]],
      ['INVALID_ARGUMENT', [0, PAGE, 0, Number.POSITIVE_INFINITY]],
      ['INVALID_ARGUMENT', [0, PAGE, 0, 2 ** 64]],
      ['INVALID_ARGUMENT', [0, PAGE, PAGE]],
      ['OUT_OF_BOUNDS', [0, PAGE, SIZE, PAGE]],
      ['OUT_OF_BOUNDS', [0, PAGE, PAGE, SIZE]],
      ['OUT_OF_BOUNDS', [0, PAGE, 2 ** 51, 2 ** 51 - PAGE]],
      ['INVALID_ARGUMENT', [0, PAGE, 2 ** 51, 2 ** 51]],
    ];
    for (const [code, ranges] of bad) {
      refused(t, code, () => mmap.discard({ region, ranges: new Float64Array(ranges) }));
    }
    refused(t, 'INVALID_ARGUMENT', () => mmap.discard({ region, ranges: never([0, PAGE]) }));
    t.is(mmap.residency({ region }), SIZE);
  });
}

function loadTests(check: Check): void {
  check('mmap: load brings a file in, and names it by length and SHA-256', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: 256 * PAGE });
    // Lengths around the padding of a SHA-256 block, and more than one chunk of the reader.
    for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 300_000]) {
      const content = Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);
      const path = rig.file(`${length}`, content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      t.deepEqual(mmap.load({ region, offset: 3, path }), { length, sha256 });
      const into = new Uint8Array(length);
      mmap.read({ region, offset: 3, into });
      t.deepEqual(into, content);
    }
  });

  check('mmap: loadRange brings a part of a file in, as far as it reaches', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'image', size: PAGE });
    const content = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
    const path = rig.file('range', content);
    const load = (offset: number, fileOffset: number, maxLength: number) =>
      mmap.loadRange({ region, offset, path, fileOffset, maxLength });
    const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    const middle = content.subarray(100, 164);
    t.deepEqual(load(8, 100, 64), { length: 64, fileLength: 1000, sha256: sha256(middle) });
    const into = new Uint8Array(66);
    mmap.read({ region, offset: 7, into });
    t.deepEqual(into, Uint8Array.of(0, ...middle, 0));
    const tail = content.subarray(990);
    t.deepEqual(load(0, 990, PAGE), { length: 10, fileLength: 1000, sha256: sha256(tail) });
    t.is(load(0, 5000, 16).length, 0);
    refused(t, 'OUT_OF_BOUNDS', () => load(PAGE - 8, 0, 9));
    mmap.closeRegion({ region });
  });

  check('mmap: load refuses what does not fit, is no file, or is not there', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    const path = rig.file('image', new Uint8Array(PAGE).fill(1));
    refused(t, 'OUT_OF_BOUNDS', () => mmap.load({ region, offset: 1, path }));
    t.is(mmap.residency({ region }), 0);
    refused(t, 'INVALID_ARGUMENT', () => mmap.load({ region, offset: 0, path: rig.folder }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.load({ region, offset: 0, path: `${path}\0x` }));
    const error = refused(t, 'SYSCALL_FAILED', () =>
      mmap.load({ region, offset: 0, path: `${rig.folder}/none` }),
    );
    t.is(error.errno, 2);
    t.is(error.syscall, 'openat');
  });
}

function refusalTests(check: Check): void {
  check('mmap: accesses outside of a region do nothing', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    const two = new Uint8Array(2).fill(5);
    for (const offset of [PAGE - 1, PAGE, 2 ** 53 - 1]) {
      refused(t, 'OUT_OF_BOUNDS', () => mmap.read({ region, offset, into: two }));
      refused(t, 'OUT_OF_BOUNDS', () => mmap.write({ region, offset, data: two }));
    }
    refused(t, 'OUT_OF_BOUNDS', () => mmap.loadAcquireU16({ region, offset: PAGE }));
    refused(t, 'OUT_OF_BOUNDS', () => mmap.storeReleaseU16({ region, offset: PAGE, value: 1 }));
    refused(t, 'OUT_OF_BOUNDS', () => mmap.andU32({ region, offset: PAGE, mask: 1 }));
    t.deepEqual([...two], [5, 5]);
    t.is(mmap.residency({ region }), 0);
  });

  check('mmap: numbers that are none, and buffers of another type', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    for (const value of NO_WHOLE_NUMBERS) {
      const offset = never<number>(value);
      refused(t, 'INVALID_ARGUMENT', () => mmap.loadAcquireU16({ region, offset }));
      refused(t, 'INVALID_ARGUMENT', () => mmap.loadAcquireU16({ region: offset, offset: 0 }));
      refused(t, 'INVALID_ARGUMENT', () => mmap.createRegion({ name: 'b', size: offset }));
    }
    for (const into of [new Uint16Array(1), new Uint8ClampedArray(1), new ArrayBuffer(1), [1], 1]) {
      refused(t, 'INVALID_ARGUMENT', () => mmap.read({ region, offset: 0, into: never(into) }));
    }
    refused(t, 'INVALID_ARGUMENT', () => mmap.createRegion({ name: 'b', size: 0 }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.createRegion({ name: 'b', size: PAGE + 1 }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.createRegion({ name: 'a\0b', size: PAGE }));
    refused(t, 'INVALID_ARGUMENT', () => mmap.createRegion({ name: never(7), size: PAGE }));
  });

  check('mmap: a closed region, and handles that are no region', (t, rig) => {
    const mmap = rig.hal(Mmap);
    const region = mmap.createRegion({ name: 'a', size: PAGE });
    mmap.closeRegion({ region });
    refused(t, 'CLOSED_HANDLE', () => mmap.closeRegion({ region }));
    refused(t, 'CLOSED_HANDLE', () => mmap.loadAcquireU16({ region, offset: 0 }));
    refused(t, 'CLOSED_HANDLE', () => mmap.discard({ region, ranges: new Float64Array(0) }));
    t.not(mmap.createRegion({ name: 'b', size: PAGE }), region);
    for (const other of [0, 1000, 2 ** 32 - 1]) {
      refused(t, 'BAD_HANDLE', () => mmap.residency({ region: other }));
    }
  });

  check('mmap: the kernel says no to more memory than there are addresses', (t, rig) => {
    const error = refused(t, 'SYSCALL_FAILED', () =>
      rig.hal(Mmap).createRegion({ name: 'huge', size: 2 ** 52 }),
    );
    t.is(error.errno, 12);
    t.is(error.syscall, 'mmap');
    t.is(error.message, 'createRegion: mmap failed: Cannot allocate memory (ENOMEM)');
  });
}
