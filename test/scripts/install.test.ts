import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';

const BUILT = resolve('build', 'Release', 'halyard.node');
const onBuilt = existsSync(BUILT) ? test : test.skip;
const INDEX = resolve('dist/src/hal/native/index.js');

interface PackageParts {
  /** A file that stands in for this machine's prebuild. */
  readonly prebuild?: string;
  readonly isCheckout?: boolean;
}

/** What matters for an install, as npm lays it out. */
function packageFolder(t: ExecutionContext, { prebuild, isCheckout }: PackageParts): string {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-package-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'scripts'));
  copyFileSync('scripts/build-native.mjs', join(folder, 'scripts', 'build-native.mjs'));
  copyFileSync('package.json', join(folder, 'package.json'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  if (isCheckout === true) copyFileSync('tsconfig.json', join(folder, 'tsconfig.json'));
  if (prebuild !== undefined) {
    const prebuilds = join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(prebuilds, { recursive: true });
    copyFileSync(prebuild, join(prebuilds, 'halyard.uv1.glibc.node'));
  }
  return folder;
}

/** Runs the install script where there is no compiler, and nothing else either. */
function install(folder: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, 'scripts', 'build-native.mjs')],
    { cwd: folder, encoding: 'utf8', env: { PATH: join(folder, 'none') } },
  );
  return { status, output: stdout + stderr };
}

onBuilt('without a compiler the package installs with its prebuild, in silence', (t) => {
  for (const isCheckout of [false, true]) {
    const folder = packageFolder(t, { prebuild: BUILT, isCheckout });
    t.deepEqual(install(folder), { status: 0, output: '' });
    t.false(existsSync(join(folder, 'build')));
  }
});

test('without a compiler, and without a prebuild that loads, the install says so in one line', (t) => {
  for (const parts of [{}, { prebuild: 'package.json' }]) {
    const { status, output } = install(packageFolder(t, parts));
    t.is(status, 0);
    t.regex(output, /^halyard: the native addon was not built \(g\+\+ is missing\); replay .*\n$/);
  }
});

/** Loads the addon as the package in this folder would. */
function load(folder: string): string {
  const source = `
    const native = await import(${JSON.stringify(INDEX)});
    try { native.loadAddon(); console.log('loaded'); } catch (error) { console.log(error.message); }`;
  const env = { ...process.env, HALYARD_PREBUILD: folder, HALYARD_ADDON: '' };
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    env,
  }).stdout;
}

onBuilt('the addon is found among the prebuilds', (t) => {
  t.is(load(packageFolder(t, { prebuild: BUILT })), 'loaded\n');
});

test('where nothing was compiled and no prebuild fits, loading says so, and what helps', (t) => {
  const message = load(packageFolder(t, {}));
  t.regex(message, /^The native addon is not built, and no prebuild fits linux on \w+\. Run "npm/);
});
