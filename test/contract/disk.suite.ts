import { createHash } from 'node:crypto';
import type { HalOf } from '../../src/hal/contract/define.js';
import { Disk } from '../../src/hal/disk.js';
import { Mmap } from '../../src/hal/mmap.js';
import { type Check, NO_WHOLE_NUMBERS, never, type Rig, refused, type Suite } from './rig.js';

const PAGE = 4096;
const KIB = 1024;
const EAGAIN = 11;

/** `Disk`, where a disk's name is the path of its file. */
export const diskSuite: Suite = (check) => {
  transferTests(check);
  lockTests(check);
  fileTests(check);
  refusalTests(check);
};

/** Bytes that no shift or swap leaves as they are. */
function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8) * 13 + seed) & 0xff);
}

function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

function memory(rig: Rig, size: number) {
  const mmap = rig.hal(Mmap);
  const region = mmap.createRegion({ name: 'ram', size });
  const bytesAt = (offset: number, length: number): Uint8Array => {
    const into = new Uint8Array(length);
    mmap.read({ region, offset, into });
    return into;
  };
  return { mmap, region, bytesAt };
}

const ranges = (...numbers: readonly number[]) => Float64Array.from(numbers);

function transferTests(check: Check): void {
  check('disk: reads go into the ranges in their order, and nowhere else', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, mmap, bytesAt } = memory(rig, 2 * PAGE);
    const content = pattern(3 * 512);
    const { disk, size } = disks.open({ name: rig.file('disk', content), readOnly: false });
    t.is(size, 3 * 512);
    mmap.write({ region, offset: 0, data: new Uint8Array(2 * PAGE).fill(0xee) });
    const moved = disks.readInto({
      disk,
      offset: 100,
      region,
      ranges: ranges(PAGE + 1, 300, 5, 0, 7, 200, PAGE + 301, 12),
    });
    const wanted = content.subarray(100, 612);
    t.deepEqual(moved, { length: 512, sha256: sha256(wanted) });
    t.deepEqual(bytesAt(PAGE + 1, 300), wanted.slice(0, 300));
    t.deepEqual(bytesAt(7, 200), wanted.slice(300, 500));
    t.deepEqual(bytesAt(PAGE + 301, 12), wanted.slice(500));
    const beside = [PAGE, 6, 207, PAGE + 313].map((offset) => bytesAt(offset, 1)[0]);
    t.deepEqual(beside, [0xee, 0xee, 0xee, 0xee]);
  });

  check('disk: writes come from the ranges in their order, and are in the file', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, mmap, bytesAt } = memory(rig, 2 * PAGE);
    const content = pattern(PAGE);
    const name = rig.file('disk', content);
    const { disk } = disks.open({ name, readOnly: false });
    const data = pattern(PAGE, 99);
    mmap.write({ region, offset: 10, data });
    const moved = disks.writeFrom({
      disk,
      offset: 512,
      region,
      ranges: ranges(2010, 1000, 10, 24, 10, 24),
    });
    const written = [data.slice(2000, 3000), data.slice(0, 24), data.slice(0, 24)] as const;
    t.deepEqual(moved, { length: 1048, sha256: sha256(...written) });
    disks.flush({ disk });
    disks.close({ disk });
    const whole = sha256(content.subarray(0, 512), ...written, content.subarray(1560));
    t.deepEqual(mmap.load({ region, offset: PAGE, path: name }), { length: PAGE, sha256: whole });
    t.deepEqual(bytesAt(PAGE + 511, 2), Uint8Array.of(content[511] ?? 0, data[2000] ?? 0));
  });

  check('disk: more at once than is moved in one go, over odd borders', (t, rig) => {
    const disks = rig.hal(Disk);
    const size = 1024 * KIB;
    const { region, bytesAt } = memory(rig, 2 * size);
    const content = pattern(size);
    const { disk } = disks.open({ name: rig.file('disk', content), readOnly: false });
    const there = ranges(size + 1, 256 * KIB - 3, 17, 300 * KIB, size + 512 * KIB, 400 * KIB + 3);
    const { length, sha256: hash } = disks.readInto({ disk, offset: 1, region, ranges: there });
    t.is(length, 956 * KIB);
    t.is(hash, sha256(content.subarray(1, 1 + length)));
    t.deepEqual(bytesAt(size + 1, 256 * KIB - 3), content.slice(1, 256 * KIB - 2));
    t.deepEqual(bytesAt(17, 300 * KIB), content.slice(256 * KIB - 2, 556 * KIB - 2));
    t.deepEqual(bytesAt(size + 512 * KIB, 400 * KIB + 3), content.slice(556 * KIB - 2, length + 1));
    const back = disks.writeFrom({ disk, offset: 9, region, ranges: there });
    t.deepEqual(back, { length, sha256: hash });
    const again = disks.readInto({ disk, offset: 9, region, ranges: ranges(0, length) });
    t.deepEqual(again, { length, sha256: hash });
  });

  check('disk: nothing is moved by empty ranges, up to the very end', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region } = memory(rig, PAGE);
    const { disk } = disks.open({ name: rig.file('disk', pattern(512)), readOnly: false });
    const nothing = { length: 0, sha256: sha256() };
    t.deepEqual(disks.readInto({ disk, offset: 512, region, ranges: ranges() }), nothing);
    t.deepEqual(disks.writeFrom({ disk, offset: 512, region, ranges: ranges(PAGE, 0) }), nothing);
  });

  check('disk: the null disk reads as zero and drops what is written', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, mmap, bytesAt } = memory(rig, 300 * PAGE);
    const disk = disks.openNull({ size: 2 ** 50 });
    const data = pattern(2 * PAGE);
    mmap.write({ region, offset: 0, data });
    const at = { disk, offset: 2 ** 50 - 2 * PAGE, region, ranges: ranges(0, 2 * PAGE) };
    t.deepEqual(disks.writeFrom(at), { length: 2 * PAGE, sha256: sha256(data) });
    disks.flush({ disk });
    disks.discard({ disk, offset: 0, length: 2 ** 50 });
    t.deepEqual(disks.readInto(at), { length: 2 * PAGE, sha256: sha256(new Uint8Array(2 * PAGE)) });
    t.deepEqual(bytesAt(0, 2 * PAGE), new Uint8Array(2 * PAGE));
    const large = disks.readInto({ disk, offset: 0, region, ranges: ranges(0, 300 * PAGE) });
    t.deepEqual(large, { length: 300 * PAGE, sha256: sha256(new Uint8Array(300 * PAGE)) });
    refused(t, 'OUT_OF_BOUNDS', () => disks.readInto({ ...at, offset: at.offset + 1 }));
  });

  check('disk: what a program reads behind a transfer is served again in a replay', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, mmap, bytesAt } = memory(rig, PAGE);
    const { disk } = disks.open({ name: rig.file('disk', pattern(1024)), readOnly: false });
    for (const offset of [0, 512]) {
      mmap.write({ region, offset: 8, data: new Uint8Array(4) });
      disks.readInto({ disk, offset, region, ranges: ranges(0, 512) });
      t.deepEqual(bytesAt(4, 8), pattern(1024).slice(offset + 4, offset + 12));
    }
  });
}

function lockTests(check: Check): void {
  check('disk: a file has one writer', (t, rig) => {
    const disks = rig.hal(Disk);
    const name = rig.file('disk', pattern(512));
    const { disk } = disks.open({ name, readOnly: false });
    for (const readOnly of [true, false]) {
      const error = refused(t, 'SYSCALL_FAILED', () => disks.open({ name, readOnly }));
      t.is(error.errno, EAGAIN);
      t.is(error.syscall, 'fcntl');
      t.regex(error.message, /^open: another program, or another disk of this one, uses the same/);
      t.false(error.message.includes(rig.folder), 'no path of the machine is in a trace');
    }
    disks.close({ disk });
    const next = disks.open({ name, readOnly: false });
    t.not(next.disk, disk);
  });

  check('disk: or several readers', (t, rig) => {
    const disks = rig.hal(Disk);
    const name = rig.file('disk', pattern(512));
    const first = disks.open({ name, readOnly: true });
    const second = disks.open({ name, readOnly: true });
    disks.close({ disk: first.disk });
    const error = refused(t, 'SYSCALL_FAILED', () => disks.open({ name, readOnly: false }));
    t.is(error.errno, EAGAIN);
    disks.close({ disk: second.disk });
    disks.open({ name, readOnly: false });
  });
}

function fileTests(check: Check): void {
  check('disk: a read-only disk is read and not written', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region } = memory(rig, PAGE);
    const content = pattern(512);
    const { disk } = disks.open({ name: rig.file('disk', content), readOnly: true });
    const at = { disk, offset: 0, region, ranges: ranges(0, 512) };
    t.is(disks.readInto(at).sha256, sha256(content));
    refused(t, 'INVALID_ARGUMENT', () => disks.writeFrom(at));
    refused(t, 'INVALID_ARGUMENT', () => disks.discard({ disk, offset: 0, length: 512 }));
    disks.flush({ disk });
    t.is(disks.readInto(at).sha256, sha256(content));
  });

  check('disk: discarded bytes read as zero, and those beside them stay', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, bytesAt } = memory(rig, 4 * PAGE);
    const content = pattern(4 * PAGE);
    const { disk } = disks.open({ name: rig.file('disk', content), readOnly: false });
    disks.discard({ disk, offset: PAGE - 512, length: 2 * PAGE });
    disks.discard({ disk, offset: 4 * PAGE, length: 0 });
    disks.readInto({ disk, offset: 0, region, ranges: ranges(0, 4 * PAGE) });
    const wanted = content.slice();
    wanted.fill(0, PAGE - 512, 3 * PAGE - 512);
    t.deepEqual(bytesAt(0, 4 * PAGE), wanted);
  });

  check('disk: a file that was cut short gives what it still has', (t, rig) => {
    const disks = rig.hal(Disk);
    const { region, mmap, bytesAt } = memory(rig, PAGE);
    const content = pattern(2048);
    const { disk } = disks.open({ name: rig.file('disk', content), readOnly: true });
    rig.file('disk', content.subarray(0, 700));
    mmap.write({ region, offset: 0, data: new Uint8Array(PAGE).fill(0xee) });
    const moved = disks.readInto({ disk, offset: 512, region, ranges: ranges(0, 100, 200, 1024) });
    t.deepEqual(moved, { length: 188, sha256: sha256(content.subarray(512, 700)) });
    t.deepEqual(bytesAt(200, 89), Uint8Array.from([...content.subarray(612, 700), 0xee]));
  });

  check('disk: what is no plain file, and what is not there', (t, rig) => {
    const disks = rig.hal(Disk);
    refused(t, 'INVALID_ARGUMENT', () => disks.open({ name: rig.folder, readOnly: true }));
    refused(t, 'INVALID_ARGUMENT', () => disks.open({ name: '/dev/zero', readOnly: false }));
    refused(t, 'INVALID_ARGUMENT', () => disks.open({ name: 'a\0b', readOnly: true }));
    const missing = { name: `${rig.folder}/none`, readOnly: false };
    const error = refused(t, 'SYSCALL_FAILED', () => disks.open(missing));
    t.is(error.errno, 2);
    t.is(error.syscall, 'openat');
    t.false(error.message.includes(rig.folder), 'no path of the machine is in a trace');
  });
}

type Transfer = Parameters<HalOf<typeof Disk>['readInto']>[0];

function refusalTests(check: Check): void {
  const openDisk = (rig: Rig) => {
    const { region, bytesAt } = memory(rig, PAGE);
    const content = pattern(2 * PAGE);
    const { disk } = rig.hal(Disk).open({ name: rig.file('disk', content), readOnly: false });
    return { disk, region, bytesAt, content };
  };

  check('disk: transfers that reach outside do nothing', (t, rig) => {
    const disks = rig.hal(Disk);
    const { disk, region, bytesAt, content } = openDisk(rig);
    const outside: [number, Float64Array][] = [
      [2 * PAGE - 100, ranges(0, 101)],
      [2 * PAGE + 1, ranges()],
      [2 ** 53 - 1, ranges(0, 1)],
      [0, ranges(0, PAGE, 0, PAGE, 0, 1)],
      [0, ranges(0, 10, PAGE - 5, 6)],
      [0, ranges(0, 10, PAGE + 1, 0)],
      [0, ranges(2 ** 51, 1)],
    ];
    for (const [offset, where] of outside) {
      const at = { disk, offset, region, ranges: where };
      refused(t, 'OUT_OF_BOUNDS', () => disks.readInto(at));
      refused(t, 'OUT_OF_BOUNDS', () => disks.writeFrom(at));
    }
    refused(t, 'OUT_OF_BOUNDS', () => disks.discard({ disk, offset: PAGE, length: PAGE + 1 }));
    t.deepEqual(bytesAt(0, PAGE), new Uint8Array(PAGE));
    const first = disks.readInto({ disk, offset: 0, region, ranges: ranges(0, PAGE) });
    t.is(first.sha256, sha256(content.subarray(0, PAGE)));
  });

  check('disk: numbers and ranges that are none', (t, rig) => {
    const disks = rig.hal(Disk);
    const { disk, region } = openDisk(rig);
    const good: Transfer = { disk, offset: 0, region, ranges: ranges(0, 1) };
    const refuseBoth = (bad: Partial<Record<keyof Transfer, unknown>>) => {
      refused(t, 'INVALID_ARGUMENT', () => disks.readInto(never({ ...good, ...bad })));
      refused(t, 'INVALID_ARGUMENT', () => disks.writeFrom(never({ ...good, ...bad })));
    };
    for (const value of NO_WHOLE_NUMBERS) {
      refuseBoth({ offset: value });
      refuseBoth({ disk: value });
      refuseBoth({ region: value });
      refused(t, 'INVALID_ARGUMENT', () => disks.openNull({ size: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () =>
        disks.discard({ disk, offset: never(value), length: 0 }),
      );
      refused(t, 'INVALID_ARGUMENT', () =>
        disks.discard({ disk, offset: 0, length: never(value) }),
      );
    }
    for (const bad of [[0], [0, 1, 2], [0.5, 1], [0, -1], [0, Number.NaN], [2 ** 52, 1]]) {
      refuseBoth({ ranges: Float64Array.from(bad) });
    }
    refuseBoth({ ranges: new Uint32Array(2) });
    refused(t, 'INVALID_ARGUMENT', () => disks.open({ name: never(1), readOnly: true }));
    refused(t, 'INVALID_ARGUMENT', () => disks.open({ name: 'a', readOnly: never(0) }));
  });

  check('disk: a closed disk, a closed region, and handles that are none', (t, rig) => {
    const disks = rig.hal(Disk);
    const { disk, region } = openDisk(rig);
    const good: Transfer = { disk, offset: 0, region, ranges: ranges(0, 1) };
    refused(t, 'BAD_HANDLE', () => disks.readInto({ ...good, disk: region }));
    refused(t, 'BAD_HANDLE', () => disks.writeFrom({ ...good, region: disk }));
    refused(t, 'BAD_HANDLE', () => disks.flush({ disk: 0 }));
    refused(t, 'BAD_HANDLE', () => disks.close({ disk: 1000 }));
    rig.hal(Mmap).closeRegion({ region });
    refused(t, 'CLOSED_HANDLE', () => disks.readInto(good));
    disks.close({ disk });
    for (const call of [disks.flush, disks.close])
      refused(t, 'CLOSED_HANDLE', () => call({ disk }));
    refused(t, 'CLOSED_HANDLE', () => disks.writeFrom(good));
    refused(t, 'CLOSED_HANDLE', () => disks.discard({ disk, offset: 0, length: 1 }));
  });
}
