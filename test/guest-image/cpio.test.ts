import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type CpioEntry, cpioArchive } from '../../src/guest-image/cpio.js';
import { findTool } from '../../src/guest-image/tool.js';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'folder', path: 'bin' },
  { kind: 'file', path: 'bin/tool', content: '#!/bin/sh\n', executable: true },
  { kind: 'file', path: 'odd', content: new Uint8Array([1, 2, 3, 4, 5]) },
  { kind: 'file', path: 'empty', content: '' },
  { kind: 'link', path: 'bin/sh', target: 'tool' },
];

/** Reads an archive by the format's own description: magic, 13 fields of 8 hexadecimal digits, name, content. */
function* readArchive(archive: Buffer): Generator<{ name: string; mode: number; content: Buffer }> {
  const aligned = (offset: number) => (offset + 3) & ~3;
  for (let at = 0; at < archive.length; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error(`no magic at ${at}`);
    const name = archive.toString('utf8', at + 110, at + 110 + field(11) - 1);
    const begin = aligned(at + 110 + field(11));
    const content = archive.subarray(begin, begin + field(6));
    yield { name, mode: field(1), content };
    at = aligned(begin + field(6));
  }
}

test('an archive has each entry with its mode and its content, and ends with the trailer', (t) => {
  const read = [...readArchive(cpioArchive(ENTRIES))];
  t.deepEqual(
    read.map(({ name, mode, content }) => [name, mode.toString(8), content.toString('latin1')]),
    [
      ['bin', '40755', ''],
      ['bin/tool', '100755', '#!/bin/sh\n'],
      ['odd', '100644', '\x01\x02\x03\x04\x05'],
      ['empty', '100644', ''],
      ['bin/sh', '120777', 'tool'],
      ['TRAILER!!!', '0', ''],
    ],
  );
});

test('any names and contents come back, also from archives behind one another', (t) => {
  const file = fc.record({
    kind: fc.constant('file' as const),
    path: fc.stringMatching(/^[\w é-]{1,40}$/),
    content: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 6 }), fc.array(file, { maxLength: 6 }), (a, b) => {
      const archive = Buffer.concat([cpioArchive(a), cpioArchive(b)]);
      const read = [...readArchive(archive)].filter(({ name }) => name !== 'TRAILER!!!');
      t.deepEqual(
        read.map(({ name, content }) => [name, [...content]]),
        [...a, ...b].map(({ path, content }) => [path, [...content]]),
      );
    }),
  );
});

test('the same entries give the same bytes', (t) => {
  t.deepEqual(cpioArchive(ENTRIES), cpioArchive(ENTRIES));
});

test("Debian's cpio unpacks it", (t) => {
  const cpio = findTool('cpio');
  if (cpio === undefined) {
    t.log('skipped: cpio is not installed');
    t.pass();
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'halyard-cpio-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const args = ['-i', '--quiet', '--no-absolute-filenames'];
  const { status, stderr } = spawnSync(cpio, args, { cwd: folder, input: cpioArchive(ENTRIES) });
  t.is(status, 0, String(stderr));
  t.is(readFileSync(join(folder, 'bin/tool'), 'utf8'), '#!/bin/sh\n');
  t.is(lstatSync(join(folder, 'bin/tool')).mode & 0o111, 0o111);
  t.deepEqual([...readFileSync(join(folder, 'odd'))], [1, 2, 3, 4, 5]);
  t.is(readlinkSync(join(folder, 'bin/sh')), 'tool');
});
