import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Volume } from 'memfs';
import { HalError } from '../../../src/hal/contract/errors.js';
import { hostFilesOver } from '../../../src/hal/native/host-files.js';

function reader(files: Readonly<Record<string, string>>, root?: string) {
  const fs = new Volume();
  fs.fromJSON(files);
  const { read } = hostFilesOver(root === undefined ? { fs } : { fs, root }).create({});
  const text = (path: string, maxBytes = 32) => new TextDecoder().decode(read({ path, maxBytes }));
  return { fs, text };
}

test('reads a file once, cut to what was asked for', (t) => {
  const { text } = reader({ '/a': '50 200 \n' });
  t.is(text('/a'), '50 200 \n');
  t.is(text('/a', 4), '50 2');
  t.is(text('/a', 0), '');
});

test('a root stands before every path', (t) => {
  t.is(reader({ '/fake/proc/meminfo': 'x' }, '/fake').text('/proc/meminfo'), 'x');
});

test('a missing file is SYSCALL_FAILED with its errno, the call and the path', (t) => {
  const error = t.throws(() => reader({}).text('/proc/none'), { instanceOf: HalError });
  t.like(error, { code: 'SYSCALL_FAILED', errno: constants.errno.ENOENT, syscall: 'open' });
  t.regex(error?.message ?? '', /\/proc\/none.*ENOENT/);
});

test('the descriptor is closed even where the read fails', (t) => {
  const { fs, text } = reader({ '/a': 'x' });
  const closed: number[] = [];
  const close = fs.closeSync.bind(fs);
  fs.closeSync = (fd: number) => {
    closed.push(fd);
    close(fd);
  };
  fs.readSync = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5, syscall: 'read' });
  };
  t.like(
    t.throws(() => text('/a')),
    { code: 'SYSCALL_FAILED', errno: 5, syscall: 'read' },
  );
  t.is(closed.length, 1);
});

test('a path with NUL and a very large read are refused', (t) => {
  const { read } = hostFilesOver().create({});
  t.like(
    t.throws(() => read({ path: '/a\0b', maxBytes: 1 })),
    { code: 'INVALID_ARGUMENT' },
  );
  t.like(
    t.throws(() => read({ path: '/a', maxBytes: 4_294_967_295 })),
    {
      code: 'INVALID_ARGUMENT',
    },
  );
});

test('node:fs is the default: a file and a directory of this machine', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-host-files-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'margin'), '50\n');
  const { read } = hostFilesOver({ root: folder }).create({});
  t.deepEqual([...read({ path: '/margin', maxBytes: 32 })], [...Buffer.from('50\n')]);
  t.like(
    t.throws(() => read({ path: '/', maxBytes: 32 })),
    {
      code: 'SYSCALL_FAILED',
      errno: constants.errno.EISDIR,
    },
  );
});
