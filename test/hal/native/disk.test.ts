import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { HalOf } from '../../../src/hal/contract/define.js';
import { HalError } from '../../../src/hal/contract/errors.js';
import { Disk } from '../../../src/hal/disk.js';
import { Mmap } from '../../../src/hal/mmap.js';
import { nativeImplementations } from '../../../src/hal/native/index.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { simulatedDisk } from '../../../src/hal/simulated/disk.js';
import { HandleSpace } from '../../../src/hal/simulated/handles.js';
import { simulatedMemory } from '../../../src/hal/simulated/memory.js';
import { diskSuite } from '../../contract/disk.suite.js';
import { checkProfiles } from '../../contract/profiles.js';
import { runHelper } from './child-process.js';
import { makeNativeRig, nativeTest, rigTests } from './native-rig.js';

diskSuite(checkProfiles(nativeTest, () => nativeImplementations({ disks: (name) => name })));

const checkNative = rigTests(nativeTest);
const GIB = 2 ** 30;

/** A file in a folder of its own, for as long as `body` runs. */
function withFile<T>(content: Uint8Array, body: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-disk-'));
  const path = join(folder, 'image');
  writeFileSync(path, content);
  try {
    return body(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

checkNative('disk: a name that no file was given for is refused', (t, rig) => {
  withFile(new Uint8Array(512), (path) => {
    const open = () => rig.hal(Disk).open({ name: path, readOnly: true });
    const error = t.throws(open, { instanceOf: HalError });
    t.is(error?.code, 'INVALID_ARGUMENT');
    const files = new Map([['root', path]]);
    const named = makeNativeRig({ disks: (name) => files.get(name) });
    t.is(named.hal(Disk).open({ name: 'root', readOnly: true }).size, 512);
    named.dispose();
  });
});

nativeTest('disk: another process cannot write what this one has open', (t) => {
  withFile(new Uint8Array(512), (path) => {
    const rig = makeNativeRig({ disks: () => path });
    const { disk } = rig.hal(Disk).open({ name: 'd', readOnly: true });
    const attempt = (how: string) => runHelper('disk-helper', ['open', path, how]).stdout;
    t.is(attempt('write'), 'SYSCALL_FAILED fcntl 11');
    t.is(attempt('read'), 'opened 512');
    rig.hal(Disk).close({ disk });
    t.is(attempt('write'), 'opened 512');
    rig.dispose();
  });
});

nativeTest('disk: beyond 4 GiB of a sparse file, holes included', (t) => {
  withFile(new Uint8Array(0), (path) => {
    truncateSync(path, 6 * GIB + 512);
    const rig = makeNativeRig({ disks: () => path });
    const [disks, mmap] = [rig.hal(Disk), rig.hal(Mmap)];
    const region = mmap.createRegion({ name: 'ram', size: 4096 });
    const { disk, size } = disks.open({ name: 'd', readOnly: false });
    t.is(size, 6 * GIB + 512);
    mmap.write({ region, offset: 0, data: new Uint8Array(512).fill(0x5a) });
    const ranges = Float64Array.of(0, 512);
    disks.writeFrom({ disk, offset: 6 * GIB, region, ranges });
    disks.readInto({ disk, offset: 2 * GIB, region, ranges });
    const into = new Uint8Array(512);
    mmap.read({ region, offset: 0, into });
    t.deepEqual(into, new Uint8Array(512));
    const fd = openSync(path, 'r');
    readSync(fd, into, { position: 6 * GIB });
    closeSync(fd);
    t.deepEqual(into, new Uint8Array(512).fill(0x5a));
    rig.dispose();
  });
});

nativeTest('disk: errors of the file are errors of the call', (t) => {
  const probe = makeNativeRig();
  const hasFilters = probe.hal(Seccomp).probe().tsync && process.arch === 'x64';
  probe.dispose();
  if (!hasFilters) {
    t.pass('this kernel takes no filters, or the helper has no number for this architecture');
    return;
  }
  withFile(new Uint8Array(512), (path) => {
    const { stdout, stderr } = runHelper('disk-helper', ['fail', path]);
    t.is(stderr, '');
    t.deepEqual(JSON.parse(stdout), [
      'SYSCALL_FAILED pread64 5',
      'SYSCALL_FAILED pwrite64 5',
      'SYSCALL_FAILED fdatasync 5',
      'SYSCALL_FAILED fallocate 5',
    ]);
  });
});

checkNative('disk: the hash is SHA-256 at every length around its blocks', (t, rig) => {
  const [disks, mmap] = [rig.hal(Disk), rig.hal(Mmap)];
  const region = mmap.createRegion({ name: 'ram', size: 4096 });
  const data = Uint8Array.from({ length: 4096 }, (_, at) => (at * 31) >> 2);
  mmap.write({ region, offset: 0, data });
  const disk = disks.openNull({ size: 4096 });
  for (let length = 0; length < 300; length++) {
    const start = (length * 11) % 3000;
    const ranges = Float64Array.of(start, length);
    const wanted = createHash('sha256')
      .update(data.subarray(start, start + length))
      .digest('hex');
    t.is(disks.writeFrom({ disk, offset: 0, region, ranges }).sha256, wanted);
  }
});

const MEMORY = 1 << 20;
const DISK = 700_000;

interface Step {
  readonly kind: 'readInto' | 'writeFrom' | 'discard';
  readonly offset: number;
  readonly ranges: readonly (readonly [number, number])[];
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('readInto', 'writeFrom', 'discard'),
  offset: fc.nat(DISK + 10),
  ranges: fc.array(fc.tuple(fc.nat(MEMORY), fc.oneof(fc.nat(600), fc.nat(400_000))), {
    maxLength: 5,
  }),
});

interface Hals {
  readonly disks: HalOf<typeof Disk>;
  readonly mmap: HalOf<typeof Mmap>;
}

/** Opens the disk, does the steps, and says what came of each and what is in memory then. */
function outcomes({ disks, mmap }: Hals, steps: readonly Step[]): unknown[] {
  const region = mmap.createRegion({ name: 'ram', size: MEMORY });
  const { disk } = disks.open({ name: 'd', readOnly: false });
  const found: unknown[] = steps.map(({ kind, offset, ranges }) => {
    try {
      if (kind === 'discard') {
        return disks.discard({ disk, offset, length: ranges[0]?.[1] ?? 0 });
      }
      const flat = Float64Array.from(ranges.flat());
      return disks[kind]({ disk, offset, region, ranges: flat });
    } catch (error) {
      if (!HalError.is(error)) throw error;
      return error.code;
    }
  });
  const into = new Uint8Array(MEMORY);
  mmap.read({ region, offset: 0, into });
  disks.close({ disk });
  mmap.closeRegion({ region });
  return [...found, createHash('sha256').update(into).digest('hex')];
}

nativeTest('disk: the simulated disk does what the real one does', (t) => {
  const property = fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const image = Uint8Array.from({ length: DISK }, (_, at) => at * 3 + (at >> 9));
    withFile(image, (path) => {
      const rig = makeNativeRig({ disks: () => path });
      const real = outcomes({ disks: rig.hal(Disk), mmap: rig.hal(Mmap) }, steps);
      rig.dispose();
      const handles = new HandleSpace();
      const disks = simulatedDisk({ handles, images: new Map([['d', image]]) }).create({});
      const mmap = simulatedMemory({ handles }).create({});
      t.deepEqual(outcomes({ disks, mmap }, steps), real);
      t.true(Buffer.from(image).equals(readFileSync(path)));
    });
  });
  fc.assert(property, { numRuns: 25 });
});
