import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readDisk, writeDisk, writeEmptyDisk } from '../../lab/ext4.js';
import { addonPath, projectDisk } from '../../lab/project-image.js';
import { nativeArchitecture } from '../../src/guest-image/architecture.js';
import { findTool } from '../../src/guest-image/tool.js';

const canMake = findTool('mke2fs') !== undefined && findTool('debugfs') !== undefined;
const withDisks = canMake ? test.serial : test.serial.skip;

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-images-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

withDisks('what is written to a disk comes back from it, whatever its names', async (t) => {
  const folder = temporary(t);
  const tree = join(folder, 'tree');
  const text = 'x'.repeat(300_000);
  write(tree, { 'a folder/deep/file': text, empty: '', 'r\u00e9sum\u00e9 1': 'e' });
  for (let index = 0; index < 300; index += 1) write(tree, { [`many/file-${index}`]: `${index}` });
  symlinkSync('empty', join(tree, 'link'));
  const image = join(folder, 'disk');
  await writeDisk(image, tree);
  const back = join(folder, 'back');
  const names = await readDisk(image, back);
  t.deepEqual([...names].sort(), readdirSync(tree).sort());
  t.is(readFileSync(join(back, 'a folder/deep/file'), 'utf8'), text);
  t.is(readFileSync(join(back, 'r\u00e9sum\u00e9 1'), 'utf8'), 'e');
  t.is(readdirSync(join(back, 'many')).length, 300);
  t.is(readlinkSync(join(back, 'link')), 'empty');
});

withDisks('what comes back replaces what has the same name, and nothing else', async (t) => {
  const folder = temporary(t);
  const back = join(folder, 'back');
  write(back, { 'case/report': 'of an earlier run', 'case/other': 'a', mine: 'b' });
  write(join(folder, 'tree'), { 'case/report': 'new' });
  await writeDisk(join(folder, 'disk'), join(folder, 'tree'));
  t.deepEqual(await readDisk(join(folder, 'disk'), back), ['case']);
  t.is(readFileSync(join(back, 'case', 'report'), 'utf8'), 'new');
  t.is(readFileSync(join(back, 'case', 'other'), 'utf8'), 'a');
  t.deepEqual(readdirSync(back).sort(), ['case', 'mine']);
});

withDisks('an empty disk takes hardly any space, and has nothing in it', async (t) => {
  const folder = temporary(t);
  const image = join(folder, 'disk');
  await writeEmptyDisk(image, 2 ** 30);
  t.is(statSync(image).size, 2 ** 30);
  t.true(statSync(image).blocks * 512 < 2 ** 22);
  t.deepEqual(await readDisk(image, join(folder, 'back')), []);
});

/** A project of two packages, one of them a tool of its development. */
function project(root: string): void {
  const lock = {
    packages: { '': {}, 'node_modules/needed': {}, 'node_modules/tool': { dev: true } },
  };
  write(root, {
    'package.json': '{}',
    'package-lock.json': JSON.stringify(lock),
    'dist/bin/halyard.cjs': 'one',
    'dist/.tsbuildinfo': 'x',
    'src/index.ts': 'not built',
    'node_modules/needed/index.js': 'n',
    'node_modules/tool/index.js': 't',
    [addonPath(nativeArchitecture())]: 'the addon of this machine',
    [addonPath('arm64')]: 'the addon for arm64',
  });
}

withDisks('the disk of the project has what runs, and is made once for a content', async (t) => {
  const folder = temporary(t);
  const root = join(folder, 'project');
  project(root);
  const before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  t.teardown(() => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
  });
  let packed = 0;
  const progress = () => {
    packed += 1;
  };
  const first = await projectDisk(root, { architecture: 'arm64', progress });
  t.is(await projectDisk(root, { architecture: 'arm64', progress }), first);
  t.is(packed, 1);

  const back = join(folder, 'back');
  await readDisk(first, back);
  t.deepEqual(
    execFileSync('find', ['.', '-type', 'f'], { cwd: back, encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort(),
    [
      './dist/bin/halyard.cjs',
      './node_modules/needed/index.js',
      './package.json',
      './prebuilds/linux-arm64/halyard.uv1.glibc.node',
    ],
  );
  t.is(readFileSync(join(back, addonPath('arm64')), 'utf8'), 'the addon for arm64');

  write(root, { 'dist/bin/halyard.cjs': 'two' });
  t.not(await projectDisk(root, { architecture: 'arm64', progress }), first);
  write(root, { 'dist/bin/halyard.cjs': 'one', 'src/index.ts': 'changed' });
  t.is(await projectDisk(root, { architecture: 'arm64', progress }), first);
});
