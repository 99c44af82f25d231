import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { bundleFor, codeCachePath, loadBundledCommand } from '../../src/bin/bundled-command.js';

const BUNDLE = resolve('dist/bin');

/** A copy of the bundle with a code cache of its own, or none. */
function copyWith(cache: Uint8Array | undefined): { folder: string; remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'halyard-bundle-'));
  const folder = join(root, 'dist', 'bin');
  mkdirSync(folder, { recursive: true });
  copyFileSync('package.json', join(root, 'package.json'));
  for (const file of ['halyard.cjs', 'replay.cjs']) {
    copyFileSync(join(BUNDLE, file), join(folder, file));
  }
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  if (cache !== undefined) writeFileSync(codeCachePath(folder, 'replay'), cache);
  return { folder, remove: () => rmSync(root, { recursive: true }) };
}

function replayFrom(folder: string) {
  const args = [join(folder, 'halyard.cjs'), 'replay', 'recordings/boot/run.mcap'];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

test('the build leaves code caches that V8 takes', (t) => {
  t.false(loadBundledCommand(BUNDLE, 'replay').script.cachedDataRejected);
  t.false(loadBundledCommand(BUNDLE, 'command').script.cachedDataRejected);
});

test('a replay starts from the small bundle, all else from the whole one', (t) => {
  const bundle = (...args: string[]) => bundleFor(['node', 'halyard', ...args]);
  t.is(bundle('replay', 'run.mcap', '--match', 'effects'), 'replay');
  t.is(bundle('replay', 'run.mcap', '--jail', 'a.policy', '--arch', 'arm'), 'command');
  t.is(bundle('replay', 'run.mcap', '--jail=a.policy', '--arch', 'arm'), 'command');
  t.is(bundle('inspect', 'replay'), 'command');
  t.is(bundle(), 'command');
});

test('the bundle of replays says the same of itself as the whole one', (t) => {
  const help = (bundle: string) =>
    spawnSync(process.execPath, [join(BUNDLE, `${bundle}.cjs`), 'replay', '--help'], {
      encoding: 'utf8',
    }).stdout;
  t.regex(help('replay'), /--jail <policy>/);
  t.is(help('replay'), help('command'));
});

test('no Node takes the code cache of another architecture, by which V8 would crash', (t) => {
  const { version, platform } = process;
  const paths = (['x64', 'arm64'] as const).map((arch) =>
    codeCachePath(BUNDLE, 'replay', { version, platform, arch }),
  );
  t.not(paths[0], paths[1]);
  t.true(paths.includes(codeCachePath(BUNDLE, 'replay')));
});

test('without a code cache, or with a damaged one, the command does the same', (t) => {
  const cache = readFileSync(codeCachePath(BUNDLE, 'replay'));
  for (const given of [undefined, new Uint8Array(0), cache.subarray(0, 1000)]) {
    const { folder, remove } = copyWith(given);
    t.teardown(remove);
    const { status, stdout, stderr } = replayFrom(folder);
    t.is(status, 0, stderr);
    t.regex(stdout, /identical \(exact\)/);
    t.is(stderr, '');
  }
});
