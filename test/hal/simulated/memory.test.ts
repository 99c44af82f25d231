import test from 'ava';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { ATTACHED_REGION, simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { SparseMemory } from '../../../src/hal/simulated/sparse-memory.js';

const MIB = 1 << 20;
const PAGE = 4096;

function setup(options: Parameters<typeof simulatedMemory>[0] = {}) {
  const mmap = simulatedMemory(options).create({});
  return { mmap, region: mmap.createRegion({ name: 'ram', size: 4 * MIB }) };
}

test('memory is zero at first and keeps what is written, over chunk borders too', (t) => {
  const { mmap, region } = setup();
  const data = Uint8Array.from({ length: 3 * PAGE }, (_, index) => index * 7);
  mmap.write({ region, offset: MIB - PAGE, data });
  const into = new Uint8Array(5 * PAGE).fill(1);
  mmap.read({ region, offset: MIB - 2 * PAGE, into });
  t.true(into.subarray(0, PAGE).every((byte) => byte === 0));
  t.deepEqual(into.subarray(PAGE, 4 * PAGE), data);
  t.true(into.subarray(4 * PAGE).every((byte) => byte === 0));
});

test('typed accesses are little-endian', (t) => {
  const { mmap, region } = setup();
  mmap.write({ region, offset: 8, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
  const halves = new Uint16Array(2);
  mmap.readU16Array({ region, offset: 8, into: halves });
  t.deepEqual([...halves], [0x0201, 0x0403]);
  const words = new Uint32Array(2);
  mmap.readU32Array({ region, offset: 8, into: words });
  t.deepEqual([...words], [0x04030201, 0x08070605]);
  t.is(mmap.loadAcquireU16({ region, offset: 10 }), 0x0403);
  t.is(mmap.loadAcquireU32({ region, offset: 12 }), 0x08070605);
  mmap.storeReleaseU16({ region, offset: 8, value: 0xfffe });
  mmap.writeU32Array({ region, offset: 12, data: Uint32Array.of(0xdeadbeef) });
  const into = new Uint8Array(8);
  mmap.read({ region, offset: 8, into });
  t.deepEqual([...into], [0xfe, 0xff, 3, 4, 0xef, 0xbe, 0xad, 0xde]);
});

test('or and and return what was there before, unsigned', (t) => {
  const { mmap, region } = setup();
  t.is(mmap.orU32({ region, offset: 4, mask: 0x80000001 }), 0);
  t.is(mmap.orU32({ region, offset: 4, mask: 2 }), 0x80000001);
  t.is(mmap.andU32({ region, offset: 4, mask: 0xfffffffe }), 0x80000003);
  t.is(mmap.loadAcquireU32({ region, offset: 4 }), 0x80000002);
});

test('discarded pages are zero and no longer resident, their neighbours stay', (t) => {
  const { mmap, region } = setup();
  mmap.write({ region, offset: 0, data: new Uint8Array(2 * MIB).fill(9) });
  t.is(mmap.residency({ region }), 2 * MIB);
  const ranges = Float64Array.of(PAGE, PAGE, MIB - PAGE, 2 * PAGE, 3 * MIB, MIB);
  mmap.discard({ region, ranges });
  t.is(mmap.residency({ region }), 2 * MIB - 3 * PAGE);
  const into = new Uint8Array(1);
  const at = (offset: number): number | undefined => {
    mmap.read({ region, offset, into });
    return into[0];
  };
  const offsets = [PAGE - 1, PAGE, 2 * PAGE - 1, 2 * PAGE, MIB - PAGE, MIB + PAGE - 1, MIB + PAGE];
  t.deepEqual(offsets.map(at), [9, 0, 0, 9, 0, 0, 9]);
  mmap.discard({ region, ranges: Float64Array.of(0, 2 * MIB) });
  t.is(mmap.residency({ region }), 0);
  mmap.write({ region, offset: PAGE - 1, data: Uint8Array.of(1, 1) });
  t.is(mmap.residency({ region }), 2 * PAGE);
});

test('a huge region costs nothing until it is written', (t) => {
  const { mmap } = setup();
  const region = mmap.createRegion({ name: 'huge', size: 2 ** 44 });
  mmap.storeReleaseU16({ region, offset: 2 ** 44 - 2, value: 7 });
  t.is(mmap.loadAcquireU16({ region, offset: 2 ** 44 - 2 }), 7);
  t.is(mmap.residency({ region }), PAGE);
});

test('OUT_OF_BOUNDS: nothing outside is touched, and nothing inside by the same call', (t) => {
  const { mmap, region } = setup();
  const size = 4 * MIB;
  const code = 'OUT_OF_BOUNDS';
  const two = new Uint8Array(2);
  t.throws(() => mmap.read({ region, offset: size - 1, into: two }), { code });
  t.throws(() => mmap.write({ region, offset: size - 1, data: two }), { code });
  t.throws(() => mmap.readU16Array({ region, offset: size, into: new Uint16Array(1) }), { code });
  t.throws(() => mmap.readU32Array({ region, offset: size, into: new Uint32Array(1) }), { code });
  t.throws(() => mmap.writeU32Array({ region, offset: size, data: new Uint32Array(1) }), { code });
  t.throws(() => mmap.loadAcquireU16({ region, offset: size }), { code });
  t.throws(() => mmap.storeReleaseU16({ region, offset: size, value: 0 }), { code });
  t.throws(() => mmap.loadAcquireU32({ region, offset: size }), { code });
  t.throws(() => mmap.orU32({ region, offset: size, mask: 0 }), { code });
  t.throws(() => mmap.andU32({ region, offset: size, mask: 0 }), { code });
  mmap.write({ region, offset: 0, data: Uint8Array.of(5) });
  const ranges = Float64Array.of(0, PAGE, size, PAGE);
  t.throws(() => mmap.discard({ region, ranges }), { code });
  t.is(mmap.loadAcquireU16({ region, offset: 0 }), 5, 'the good range of a bad call stays');
});

test('INVALID_ARGUMENT: fractions, negatives, misaligned offsets, odd ranges, empty regions', (t) => {
  const { mmap, region } = setup();
  const code = 'INVALID_ARGUMENT';
  const into = new Uint8Array(1);
  for (const offset of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
    t.throws(() => mmap.read({ region, offset, into }), { code });
  }
  t.throws(() => mmap.loadAcquireU16({ region, offset: 1 }), { code });
  t.throws(() => mmap.loadAcquireU32({ region, offset: 2 }), { code });
  t.throws(() => mmap.readU16Array({ region, offset: 1, into: new Uint16Array(1) }), { code });
  t.throws(() => mmap.readU32Array({ region, offset: 2, into: new Uint32Array(1) }), { code });
  for (const ranges of [[0], [1, PAGE], [0, 100], [-PAGE, PAGE], [0, Number.NaN]]) {
    const list = Float64Array.from(ranges);
    t.throws(() => mmap.discard({ region, ranges: list }), { code });
  }
  t.throws(() => mmap.createRegion({ name: 'none', size: 0 }), { code });
});

test('BAD_HANDLE and CLOSED_HANDLE: handles are never given out again', (t) => {
  const { mmap, region } = setup();
  t.throws(() => mmap.residency({ region: 77 }), { code: 'BAD_HANDLE' });
  t.throws(() => mmap.residency({ region: 0 }), { code: 'BAD_HANDLE' });
  mmap.closeRegion({ region });
  t.throws(() => mmap.residency({ region }), { code: 'CLOSED_HANDLE' });
  t.throws(() => mmap.closeRegion({ region }), { code: 'CLOSED_HANDLE' });
  t.not(mmap.createRegion({ name: 'next', size: PAGE }), region);
});

test('an attached region is the same memory, seen from an offset', (t) => {
  const handles = new HandleSpace();
  const { mmap } = setup({ handles });
  const memory = new SparseMemory(MIB, PAGE);
  const attachment = handles.open(ATTACHED_REGION, memory);
  const region = mmap.adoptRegion({ attachment, size: MIB - PAGE, offset: PAGE });
  mmap.storeReleaseU16({ region, offset: 0, value: 3 });
  t.is(memory.readU16(PAGE), 3);
  t.is(mmap.describe({ region }).size, MIB - PAGE);
  const tooLarge = { attachment, size: MIB, offset: PAGE };
  t.throws(() => mmap.adoptRegion(tooLarge), { code: 'OUT_OF_BOUNDS' });
  t.throws(() => mmap.adoptRegion({ ...tooLarge, attachment: region }), { code: 'BAD_HANDLE' });
});

test('load puts a file there and says what it was; a missing file is ENOENT', (t) => {
  const files = {
    readFileSync: (path: string) => {
      if (path !== 'kernel') throw new Error('no such file');
      return Uint8Array.of(97, 98, 99);
    },
  };
  const { mmap, region } = setup({ files });
  t.deepEqual(mmap.load({ region, offset: 10, path: 'kernel' }), {
    length: 3,
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  });
  t.is(mmap.loadAcquireU16({ region, offset: 10 }), 0x6261);
  const missing = { code: 'SYSCALL_FAILED', errno: 2 };
  t.like(
    t.throws(() => mmap.load({ region, offset: 0, path: 'none' })),
    missing,
  );
  t.throws(() => mmap.load({ region, offset: 4 * MIB - 2, path: 'kernel' }), {
    code: 'OUT_OF_BOUNDS',
  });
  const bare = setup();
  t.like(
    t.throws(() => bare.mmap.load({ region: bare.region, offset: 0, path: 'kernel' })),
    missing,
  );
});

test('describe says the page size, and discards keep to it', (t) => {
  const { mmap, region } = setup({ pageSize: 16_384 });
  t.deepEqual(mmap.describe({ region }), {
    size: 4 * MIB,
    pageSize: 16_384,
    primitive: 'madv-remove',
  });
  const ranges = Float64Array.of(0, PAGE);
  t.throws(() => mmap.discard({ region, ranges }), { code: 'INVALID_ARGUMENT' });
});
