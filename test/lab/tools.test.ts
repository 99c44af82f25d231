import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LAB_MACHINES } from '../../lab/machines.js';
import { requireTools } from '../../lab/tools.js';

const without =
  (...missing: readonly string[]) =>
  (name: string) =>
    missing.includes(name) ? undefined : `/bin/${name}`;

test('what is missing is named, with the line that installs it', (t) => {
  const find = without('qemu-system-aarch64');
  const error = t.throws(() => requireTools(LAB_MACHINES.arm64, { install: false, find }), {
    code: 'UNSUPPORTED',
  });
  t.is(
    error?.message,
    'The lab needs qemu-system-aarch64, which is not installed. Run "apt-get install ' +
      '--no-install-recommends -y qemu-system-arm" as root, or call the lab with --install.',
  );
});

test('a package that has two of the programs is named once', (t) => {
  const find = without('mke2fs', 'debugfs', 'qemu-system-x86_64');
  t.throws(() => requireTools(LAB_MACHINES.x86_64, { install: false, find }), {
    message:
      /needs qemu-system-x86_64, mke2fs, debugfs, which are .* -y qemu-system-x86 e2fsprogs"/,
  });
});

test('the other architecture’s QEMU is not asked for', (t) => {
  const find = without('qemu-system-aarch64');
  t.notThrows(() => requireTools(LAB_MACHINES.x86_64, { install: false, find }));
});

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip;

onLinux('--install installs it by apt-get, and says if that did not help', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-apt-'));
  const { PATH: path } = process.env;
  t.teardown(() => {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true });
  });
  const log = join(folder, 'log');
  writeFileSync(log, '');
  writeFileSync(join(folder, 'apt-get'), `#!/bin/sh\necho "$*" >>${log}\n`);
  chmodSync(join(folder, 'apt-get'), 0o755);
  process.env['PATH'] = `${folder}:${path}`;
  const installed = () => readFileSync(log, 'utf8').includes('qemu-system-x86');
  const find = (name: string) =>
    name === 'qemu-system-x86_64' && !installed() ? undefined : `/bin/${name}`;
  requireTools(LAB_MACHINES.x86_64, { install: true, find });
  t.is(
    readFileSync(log, 'utf8'),
    'update -qq\ninstall --no-install-recommends -y qemu-system-x86\n',
  );
  const never = without('setpriv');
  t.throws(() => requireTools(LAB_MACHINES.x86_64, { install: true, find: never }), {
    message: /^apt-get could not install setpriv\. Run "apt-get install .* util-linux" as root\.$/,
  });
});
