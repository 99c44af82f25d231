import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { HOST_INIT } from '../../lab/host-init.js';
import { withDebianPackages } from '../../src/guest-image/debian-packages.js';
import { guestImage, kernelFiles } from '../../src/guest-image/guest-image.js';
import { GUEST_INIT, GUEST_MODULES } from '../../src/guest-image/guest-init.js';

const RELEASE = '6.1.0-56-cloud-arm64';

test.serial('a guest is made of what the cache has, without fetching anything', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-guest-'));
  const { PATH: path, XDG_CACHE_HOME: cacheHome } = process.env;
  t.teardown(() => {
    process.env['PATH'] = path;
    if (cacheHome === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = cacheHome;
    rmSync(folder, { recursive: true });
  });
  // No apt can be found by accident.
  process.env['PATH'] = folder;
  process.env['XDG_CACHE_HOME'] = folder;
  const packages = join(folder, 'halyard', 'debian', 'arm64');
  const kernel = join(packages, `linux-image-${RELEASE}_6.1.192-2_arm64`);
  const files: Record<string, string> = {
    [join(kernel, 'boot', `vmlinuz-${RELEASE}`)]: 'kernel',
    [join(packages, 'busybox-static_1.35_arm64', 'bin', 'busybox')]: 'the busybox',
  };
  for (const module of GUEST_MODULES) {
    files[join(kernel, 'lib', 'modules', RELEASE, 'kernel', module)] = `module ${module}`;
  }
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const source = { architecture: 'arm64', progress: () => t.fail(), refresh: false } as const;
  const image = () => withDebianPackages(source, (found) => guestImage(found, 'arm64'));
  const first = await image();
  t.deepEqual(await image(), first);
  t.is(first.release, RELEASE);
  t.is(readFileSync(first.kernel, 'utf8'), 'kernel');
  const initrd = readFileSync(first.initrd, 'utf8');
  for (const part of [
    'the busybox',
    GUEST_INIT,
    ...GUEST_MODULES.map((name) => `module ${name}`),
  ]) {
    t.true(initrd.includes(part), part);
  }
  const args = ['dist/bin/halyard.cjs', 'guest', 'fetch', '--arch', 'arm64', '--json'];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.is(status, 0);
  t.deepEqual(JSON.parse(stdout), { arch: 'arm64', ...first });
});

test('a package without a kernel in it is an error that names it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-kernel-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'boot'));
  t.throws(() => kernelFiles(folder), { code: 'UNSUPPORTED', message: /has no kernel in it/ });
});

test('the guest loads its modules in the order in which they need one another', (t) => {
  const loaded = /for module in ([^;]+); do/.exec(GUEST_INIT)?.[1]?.split(' ');
  const files = GUEST_MODULES.map((path) => path.replace(/^.*\//, '').replace(/\.ko$/, ''));
  t.deepEqual(loaded, files);
});

const withShell = process.platform === 'win32' ? test.skip : test;

withShell('the first processes are sound shell scripts', (t) => {
  for (const script of [GUEST_INIT, HOST_INIT]) {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' });
    t.is(status, 0, stderr);
  }
});

withShell('a guest says what each command printed and how it ended', (t) => {
  // The part that obeys, with a shell of this machine and a pipe for a console.
  const obeying = GUEST_INIT.slice(GUEST_INIT.indexOf('obey()')).replace('reboot -f', 'echo off');
  const input = 'echo one; (exit 3)\nfalse\nread x || echo no input\nexit 4\n';
  const { stdout } = spawnSync('sh', ['-c', obeying], {
    input,
    encoding: 'utf8',
    env: { ...process.env, RUN: 'echo first' },
  });
  t.deepEqual(stdout.trim().split('\n'), [
    ...['first', 'guest: exit 0', 'one', 'guest: exit 3', 'guest: exit 1'],
    ...['no input', 'guest: exit 0', 'guest: exit 4', 'off'],
  ]);
});
